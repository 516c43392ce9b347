import { FedsvdError } from '../../errors.ts'

/** The members of a checkpoint's `config.json`. */
export type ConfigFields = Readonly<Record<string, unknown>>

/** A positive integer of the config, by the first of its names that is there. @throws FedsvdError CHECKPOINT_INVALID */
export function countOf(config: ConfigFields, ...names: readonly string[]): number {
  const value = names.map((name) => config[name]).find((found) => found !== undefined)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw invalidConfig(`a positive integer as ${names.join(' or ')}`, value)
}

/** A number of the config, or what holds where it has none. @throws FedsvdError CHECKPOINT_INVALID */
export function numberOf(config: ConfigFields, name: string, otherwise: number): number {
  const value = config[name] ?? otherwise
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw invalidConfig(`a number as ${name}`, value)
}

/** A text of the config, or what holds where it has none. @throws FedsvdError CHECKPOINT_INVALID */
export function textOf(config: ConfigFields, names: readonly string[], otherwise: string): string {
  const value = names.map((name) => config[name]).find((found) => found !== undefined) ?? otherwise
  if (typeof value === 'string') return value
  throw invalidConfig(`a text as ${names.join(' or ')}`, value)
}

/** A config that is refused: `expected` names the member at fault. */
export function invalidConfig(expected: string, got: unknown): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', {
    expected: `${expected} in config.json`,
    got: JSON.stringify(got)?.slice(0, 200) ?? 'no such field',
    remedy: 'Use an unchanged checkpoint of a supported architecture: docs/reference/models.md.',
  })
}
