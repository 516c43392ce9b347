import { InvalidArgumentError } from 'commander'

/** Parsers of option values: each says what it expected when the text does not fit. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('Expected a positive integer.')
  return value
}

/** A round, as people count them, or the best one. */
export function round(text: string): number | 'best' {
  if (text === 'best') return text
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('Expected the number of a round, from 1 on, or best.')
}

export function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65535)
    throw new InvalidArgumentError('Expected a port from 0 to 65535 (0 picks a free one).')
  return value
}

export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('Expected a number above 0.')
  return value
}

export function probability(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('Expected a number between 0 and 1, such as 1e-5.')
  return value
}

/** The identifier of a run or an operator. */
export function identifier(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text
  throw new InvalidArgumentError('Expected an identifier such as 3f2504e0-4f89-41d3-9a0c-0305e82c3301.')
}

/** An option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}

/** Two or more labels between commas. */
export function labelList(text: string): readonly string[] {
  const labels = text.split(',').map((label) => label.trim())
  if (labels.length >= 2 && labels.every(Boolean) && new Set(labels).size === labels.length) return labels
  throw new InvalidArgumentError('Expected two or more different labels, such as ham,spam.')
}

/** The option of a setting: `tlsCert` is `--tls-cert`. */
export function optionOf(setting: string): string {
  return `--${setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** The help text that shows how a command is really used. */
export function example(...lines: readonly string[]): string {
  return `\nExample:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`
}
