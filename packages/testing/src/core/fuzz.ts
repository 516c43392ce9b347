import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { fateOf, hostileFrame } from './hostile-frames.ts'
import { fateOfError, fateOfMessage, GOOD_MESSAGES, hostileMessage, hostileValue, SCHEMAS } from './hostile-messages.ts'

/**
 * What became of many hostile inputs. Growth is what is still held after them and a collection of garbage, in bytes.
 */
export interface FuzzReport {
  readonly inputs: number
  readonly fates: Readonly<Record<string, number>>
  readonly heapGrowth: number
  readonly arrayBufferGrowth: number
}

/** Rejects with the smallest input that does anything but decode or be refused from the catalogue. */
export function fuzzFrames(inputs: number, seed: number): FuzzReport {
  return measured((count, at) => {
    fc.assert(
      fc.property(hostileFrame, (bytes) => at(fateOf(bytes))),
      { numRuns: count, seed },
    )
  }, inputs)
}

/** The same for each schema of the protocol, and for errors that a peer sends. */
export function fuzzMessages(inputsPerSchema: number, seed: number): FuzzReport {
  return measured((count, at) => {
    for (const [name, schema] of SCHEMAS) {
      fc.assert(
        fc.property(hostileMessage(GOOD_MESSAGES[name]), (message) => at(fateOfMessage(schema, message))),
        { numRuns: count, seed },
      )
    }
    fc.assert(
      fc.property(hostileValue, (value) => at(`error ${fateOfError(value).code}`)),
      { numRuns: count, seed },
    )
  }, inputsPerSchema)
}

function measured(run: (count: number, at: (fate: string) => void) => void, count: number): FuzzReport {
  const fates: Record<string, number> = {}
  let inputs = 0
  const at = (fate: string): void => {
    inputs += 1
    fates[fate] = (fates[fate] ?? 0) + 1
  }
  run(Math.min(count, 1000), () => {}) // what is made once, such as compiled code, is no growth
  const before = held()
  run(count, at)
  const after = held()
  return {
    inputs,
    fates,
    heapGrowth: after.heapUsed - before.heapUsed,
    arrayBufferGrowth: after.arrayBuffers - before.arrayBuffers,
  }
}

/** Memory that is in use once everything that can be collected has been. */
export function held(): NodeJS.MemoryUsage {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let time = 0; time < 3; time += 1) collect()
  return process.memoryUsage()
}
