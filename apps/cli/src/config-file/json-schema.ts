import { z } from 'zod'

/** What the fields of a configuration say of themselves beside their type, by `.meta({ ... })`. */
export interface FieldMeta {
  /** What it decides, and advice for choosing it: sentences. */
  readonly description: string
  /** Unit of a number. */
  readonly unit?: string
  /** Said in place of a default that a schema cannot know, such as "by the model". */
  readonly defaultText?: string
}

/**
 * The JSON schema (draft 2020-12) of a configuration file: with it an editor completes keys, shows what they mean and
 * marks faults. Named in a file by `# yaml-language-server: $schema=FILE`.
 */
export function jsonSchemaOf(
  schema: z.ZodType,
  { title, id }: { readonly title: string; readonly id: string },
): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      const {
        unit,
        defaultText,
        description,
        default: usual,
      } = jsonSchema as Partial<FieldMeta> & { default?: unknown }
      const notes = [
        ...(unit === undefined ? [] : [`Unit: ${unit}.`]),
        ...(defaultText === undefined ? [] : [`Default: ${defaultText}.`]),
        ...(usual === undefined ? [] : [`Default: ${JSON.stringify(usual)}.`]),
      ]
      if (notes.length === 0) return
      delete jsonSchema.unit
      delete jsonSchema.defaultText
      if (unit !== undefined) jsonSchema['x-unit'] = unit
      jsonSchema.description = [...(description === undefined ? [] : [description]), ...notes].join(' ')
    },
  })
  return { $schema, $id: id, title, ...rest }
}

/** The comment by which editors find the schema of a YAML file. */
export function schemaComment(file: string): string {
  return `# yaml-language-server: $schema=${file}`
}
