import { FedsvdError } from '../../errors.ts'

/** The members of a checkpoint's `config.json`. */
export type ConfigFields = Readonly<Record<string, unknown>>

/** A positive integer of the config, by the first of its names that is there. @throws FedsvdError CHECKPOINT_INVALID */
export function countOf(config: ConfigFields, ...names: readonly string[]): number {
  const value = names.map((name) => config[name]).find((found) => found !== undefined)
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw invalidConfig(`a positive integer as ${names.join(' or ')}`, value)
}

/** No model is deeper; a graph of more layers than a machine can hold must not be begun. */
const MOST_LAYERS = 1024

/** The number of layers, by the first of its names that is there. @throws FedsvdError CHECKPOINT_INVALID */
export function layersOf(config: ConfigFields, ...names: readonly string[]): number {
  const layers = countOf(config, ...names)
  if (layers <= MOST_LAYERS) return layers
  throw invalidConfig(`at most ${MOST_LAYERS} as ${names.join(' or ')}`, layers)
}

/** A number of the config, or what holds where it has none. @throws FedsvdError CHECKPOINT_INVALID */
export function numberOf(config: ConfigFields, name: string, otherwise: number): number {
  const value = config[name] ?? otherwise
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw invalidConfig(`a number as ${name}`, value)
}

/** What a normalisation adds to a variance, from 0 to 1. @throws FedsvdError CHECKPOINT_INVALID */
export function epsilonOf(config: ConfigFields, name: string, otherwise: number): number {
  const value = numberOf(config, name, otherwise)
  if (value >= 0 && value <= 1) return value
  throw invalidConfig(`a number from 0 to 1 as ${name}`, value)
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
