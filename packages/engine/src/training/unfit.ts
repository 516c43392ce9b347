import { FedsvdError } from '@fedsvd/core/errors'

/** A runtime that failed the self-test; `on` says with what it was tried. */
export function unfit(expected: string, got: string, on: string): FedsvdError {
  const remedy = 'Train with the runtime onnxruntime on the execution provider cpu, with one thread.'
  return new FedsvdError('RUNTIME_UNAVAILABLE', { expected, got: `${got}, on ${on}`, remedy })
}

/** ||actual - expected|| beside ||expected||; NaN where a value is not a number. */
export function relativeDistance(actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]): number {
  let [difference, size] = [0, 0]
  for (const [t, part] of expected.entries()) {
    for (let at = 0; at < part.length; at++) {
      difference += (part[at]! - actual[t]![at]!) ** 2
      size += part[at]! ** 2
    }
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size)
}

/** The L2 norm of one record's gradient, over all trained tensors. */
export function lengthOf(gradient: readonly ArrayLike<number>[]): number {
  let squares = 0
  for (const part of gradient) for (let at = 0; at < part.length; at++) squares += part[at]! ** 2
  return Math.sqrt(squares)
}
