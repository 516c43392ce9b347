import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command, Option } from 'commander'
import { z } from 'zod'
import { program } from '../apps/cli/src/main.ts'
import { clientConfigSchema } from '../apps/client/src/config.ts'
import { configSchema } from '../apps/server/src/config.ts'
import { ENVIRONMENT, FROM_FILES } from '../packages/engine/src/settings/index.ts'
import { markdownTable } from './markdown-table.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const PAGE = path.join(ROOT, 'docs/reference/settings.md')

const { commands } = await program()

/** What a setting of a client is called where its option is called otherwise. */
const CLIENT_SETTING: Readonly<Record<string, readonly string[]>> = {
  data: ['dataFile'],
  epsilon: ['budget', 'epsilon'],
  delta: ['budget', 'delta'],
  maxWait: ['maxWaitSeconds'],
  renewal: ['renewals'],
}

/** Without these no client starts; each may be in the site configuration as well. */
const NEEDED: readonly string[] = ['data', 'name', 'epsilon']

/** They are no settings of a client. */
const OF_EVERY_COMMAND: readonly string[] = ['--json', '--quiet', '--verbose']

const INTRODUCTION = `# Settings

Written by \`npx tsx scripts/settings-page.ts\` from the schemas that check them; a test holds the page against these. An option stands
before its variable where both are given. An empty variable counts as absent.
`

/** All settings of the coordinator and of a client, as the page shows them. */
export function settingsPage(): string {
  return [
    INTRODUCTION,
    '## The coordinator\n',
    'Of `fedsvd serve`, of `apps/server/src/main.ts` and of the image. A variable marked * may have `_FILE` behind its name, and then names the',
    'file that has the value, as secrets of containers are mounted.\n',
    markdownTable(['option', 'variable', 'default', 'values', 'unit', 'meaning'], coordinatorRows()),
    '\n## A client\n',
    'Of `fedsvd join`. The file of `--config` can hold them as well: [site configuration](site-configuration.md). An option counts before its',
    'variable, that before the file, and that before the default.\n',
    markdownTable(['option', 'variable', 'default', 'values', 'unit', 'meaning'], clientRows()),
    '\n## Both\n',
    '| variable | meaning |\n|---|---|',
    '| `FEDSVD_DEBUG` | set to anything: an unexpected error is printed with where it comes from |',
    '| `FEDSVD_HOME` | folder of the state of this user’s client, in `client`; default: the system’s folder for state |',
    '| `FEDSVD_COORDINATOR`, `FEDSVD_PROFILE` | the coordinator of commands for operators, or the profile (`fedsvd profile --help`) that names it |',
    '| `FEDSVD_OPERATOR_SECRET` | the secret of `profile set --sign-in`; `_FILE` behind it names its file |',
    '| `FEDSVD_OPERATOR_TOKEN` | the token of commands that speak to a coordinator, such as `export`; `_FILE` behind it names its file |',
    '| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | see [behind a proxy](../how-to/behind-a-proxy.md) |\n',
  ].join('\n')
}

function coordinatorRows(): readonly (readonly string[])[] {
  const options = new Map(command('serve').options.map((option) => [option.attributeName(), option]))
  const meanings = meaningsIn('apps/server/src/config.ts', 'configSchema')
  return Object.entries(configSchema.shape).map(([setting, schema]) => {
    const option = options.get(setting)
    const isFile = (FROM_FILES as readonly string[]).includes(setting)
    return [
      option === undefined ? '' : code(option.long!),
      `${code(ENVIRONMENT[setting as keyof typeof ENVIRONMENT])}${isFile ? '*' : ''}`,
      defaultOf(schema),
      valuesOf(schema),
      unitOf(setting),
      meanings.get(setting) ?? option?.description.replace(/ \(FEDSVD_.*\)$/, '') ?? '',
    ]
  })
}

function clientRows(): readonly (readonly string[])[] {
  const shown = command('join').options.filter(({ hidden, long }) => !hidden && !OF_EVERY_COMMAND.includes(long!))
  return shown.map((option) => {
    const names = CLIENT_SETTING[option.attributeName()] ?? [option.attributeName()]
    const schema = names.reduce<z.ZodType | undefined>((of, name) => shapeOf(of)?.[name], clientConfigSchema)
    return [
      code(option.long!),
      option.envVar === undefined ? '' : code(option.envVar),
      defaultText(option),
      isSwitch(option)
        ? 'a switch, without a value'
        : (option.argChoices?.map(code).join(', ') ?? (schema === undefined ? '' : valuesOf(schema))),
      unitOf(names.at(-1)!),
      option.description,
    ]
  })
}

function command(name: string): Command {
  return commands.find((one) => one.name() === name)!
}

function shapeOf(schema: z.ZodType | undefined): Readonly<Record<string, z.ZodType>> | undefined {
  return (schema as { shape?: Readonly<Record<string, z.ZodType>> } | undefined)?.shape
}

/** The comments of the fields of a schema, by field. */
function meaningsIn(file: string, schema: string): ReadonlyMap<string, string> {
  const source = readFileSync(path.join(ROOT, file), 'utf8')
  const body = source.slice(source.indexOf(`export const ${schema} =`))
  const fields = body.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s*\n\s+(\w+):/gs)
  return new Map(
    [...fields].map(([, text, name]) => [
      name!,
      text!
        .replace(/\n\s*\*/g, ' ')
        .replace(/\s+/g, ' ')
        .trim(),
    ]),
  )
}

function defaultOf(schema: z.ZodType): string {
  const { success, data } = schema.safeParse(undefined)
  if (!success || data === undefined || (typeof data === 'object' && Object.keys(data as object).length === 0))
    return ''
  if (typeof data !== 'string') return code(JSON.stringify(data))
  return code(path.isAbsolute(data) ? path.relative(process.cwd(), data) : data)
}

/** Such as `--once` and `--no-release-grid`: it is there or not. */
function isSwitch(option: Option): boolean {
  return option.isBoolean() || option.negate
}

function defaultText(option: Option): string {
  const { defaultValue } = option
  if (NEEDED.includes(option.attributeName())) return 'needed'
  if (isSwitch(option)) return 'not given'
  if (defaultValue === undefined) return ''
  const text = String(defaultValue)
  return path.isAbsolute(text) ? 'see `FEDSVD_HOME`' : code(text)
}

/** What a schema takes, in words. */
function valuesOf(schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'output' }) as {
    readonly type?: string
    readonly enum?: readonly string[]
    readonly minimum?: number
    readonly maximum?: number
    readonly exclusiveMinimum?: number
    readonly exclusiveMaximum?: number
  }
  if (json.enum !== undefined) return json.enum.map((value) => code(String(value))).join(', ')
  if (json.type === 'boolean') return '`true`, `false`'
  if (json.type !== 'number' && json.type !== 'integer') return ''
  const low = json.exclusiveMinimum === undefined ? `from ${json.minimum}` : `above ${json.exclusiveMinimum}`
  const high = json.exclusiveMaximum === undefined ? `to ${json.maximum}` : `below ${json.exclusiveMaximum}`
  return `${json.type === 'integer' ? 'whole, ' : ''}${low} ${high}`
}

function unitOf(setting: string): string {
  if (setting.endsWith('Seconds')) return 's'
  return setting.endsWith('PerMinute') ? '1/min' : ''
}

const code = (text: string): string => `\`${text}\``

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, settingsPage())
