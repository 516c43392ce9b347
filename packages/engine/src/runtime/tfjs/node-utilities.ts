import util from 'node:util'

/**
 * Functions of `node:util` that TensorFlow.js's packages for Node call in every operation, and that Node 23 removed:
 * without them `@tensorflow/tfjs-node-gpu` 4.22 loads, and fails at the first tensor.
 */
const REMOVED = {
  isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  isArray: Array.isArray,
} as const

/** Puts back what is missing, and only that. */
export function provideRemovedUtilities(target: object = util): void {
  for (const [name, value] of Object.entries(REMOVED)) {
    if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true })
  }
}
