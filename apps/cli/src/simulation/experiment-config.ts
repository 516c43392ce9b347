import { z } from 'zod'
import { readConfigFile } from '../config-file/index.ts'
import { type RunConfig, runConfigSchema } from '../run-config/index.ts'

/** What a grid may hold in the place of one value. */
const scalar = z.union([z.number(), z.string(), z.boolean()])
export type Scalar = z.infer<typeof scalar>

/** More than anybody waits for. */
const MOST_POINTS = 10_000
/** What is decided otherwise: the seeds by --seeds, and the rest is the same in every cell. */
const FIXED: readonly string[] = ['name', 'seed', 'task', 'labels', 'quorum', 'deadlineSeconds']

const grid = z
  .record(z.string(), z.array(scalar).min(1).max(1000))
  .optional()
  .meta({ description: 'Keys of the run, each with the values to be tried: every combination is a setting.' })

/** A run configuration, with several values for some of its keys. */
export const experimentConfigSchema = z.strictObject({ ...runConfigSchema.shape, grid }).check(({ value, issues }) => {
  const { grid: given = {}, ...run } = value
  const tell = (error: z.ZodError, prefix: readonly string[]): void => {
    const [issue] = error.issues
    if (issue !== undefined)
      issues.push({ code: 'custom', path: [...prefix, ...issue.path], message: issue.message, input: value })
  }
  const base = runConfigSchema.safeParse(run)
  if (!base.success) return tell(base.error, [])
  const count = Object.values(given).reduce((product, values) => product * values.length, 1)
  if (count > MOST_POINTS) {
    issues.push({ code: 'custom', path: ['grid'], message: `${count} settings, at most ${MOST_POINTS}`, input: value })
    return
  }
  for (const [key, values] of Object.entries(given)) {
    if (FIXED.includes(key)) {
      issues.push({ code: 'custom', path: ['grid', key], message: 'a key that is the same in all', input: value })
      continue
    }
    for (const [index, each] of values.entries()) {
      const point = runConfigSchema.safeParse(withValue(run, key, each))
      if (point.success) continue
      const [issue] = point.error.issues
      const message = `${JSON.stringify(each)} does not fit the key ${key}: ${issue?.message ?? 'not known'}`
      issues.push({ code: 'custom', path: ['grid', key, index], message, input: value })
      break
    }
  }
})
export type ExperimentConfig = z.output<typeof experimentConfigSchema>

/** One combination of the values of a grid, by key. */
export type Point = Readonly<Record<string, Scalar>>

/** A run configuration of an experiment, and the values that are its own. */
export interface Setting {
  readonly point: Point
  readonly config: RunConfig
}

/** Reads a configuration. @throws FedsvdError CONFIG_INVALID with every fault */
export function readExperimentConfig(file: string): ExperimentConfig {
  return readConfigFile(file, experimentConfigSchema, 'run configuration')
}

/** Every combination of the grid, in the order of its keys; the one setting of a configuration without a grid. */
export function settingsOf({ grid: given = {}, ...run }: ExperimentConfig, methods: readonly string[]): Setting[] {
  const own: Readonly<Record<string, readonly Scalar[]>> = methods.length > 0 ? { method: methods } : {}
  const all = { ...own, ...given, ...own }
  let points: Point[] = [{}]
  for (const [key, values] of Object.entries(all)) {
    points = points.flatMap((point) => values.map((value) => ({ ...point, [key]: value })))
  }
  return points.map((point) => {
    const config = Object.entries(point).reduce<object>((made, [key, value]) => withValue(made, key, value), run)
    return { point, config: runConfigSchema.parse(config) }
  })
}

/** A configuration with one key set, `model.maxTokens` within `model`; a name alone becomes a map with that name. */
function withValue(config: object, key: string, value: Scalar): object {
  const [first, ...rest] = key.split('.') as [string, ...string[]]
  if (rest.length === 0) return { ...config, [first]: value }
  const before = (config as Readonly<Record<string, unknown>>)[first]
  const within = typeof before === 'string' ? { name: before } : ((before ?? {}) as object)
  return { ...config, [first]: withValue(within, rest.join('.'), value) }
}
