/**
 * fedsvd's side of one case of bench/engine.ts, in a process of its own, so that its peak memory is its own.
 *
 * Takes the case as JSON. Then, for every line on standard input: a number of seconds to run for, or "end". Prints one
 * JSON object a line.
 */
import { createInterface } from 'node:readline'
import { type AdapterState, initialState } from '../packages/core/src/lora/index.ts'
import { recordsInMemory } from '../packages/engine/src/datasets/index.ts'
import type { TrainingEngine } from '../packages/engine/src/training/index.ts'
import { lotOfAll } from '../packages/engine/src/training/lots/index.ts'
import { CLASSES, engineOf, MODELS } from './engine-models.ts'

export interface BenchCase {
  readonly model: string
  readonly threads: number
  /** Tokens of every record of the lot. */
  readonly lengths: readonly number[]
}

const { model: name, threads, lengths } = JSON.parse(process.argv[2]!) as BenchCase
const model = MODELS[name]!
const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`)

function stateOf({ schema }: TrainingEngine): AdapterState {
  const state = initialState(schema, { seed: 'bench' })
  for (const { data } of [...state.b, ...state.head]) data.set(data.map((_, index) => 0.02 * Math.sin(index)))
  return state
}

await using engine = await engineOf(model, { threads })
const state = stateOf(engine)
const records = lengths.map((length, n) => ({
  tokenIds: Int32Array.from({ length }, (_, t) => (977 * n + 131 * t) % model.vocabularySize),
  label: n % CLASSES,
}))
const lot = lotOfAll(recordsInMemory(records))
await engine.clippedLotSum(lot, state, 1)
say({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'end') break
  let examples = 0
  const [start, cpuStart] = [performance.now(), process.cpuUsage()]
  do {
    await engine.clippedLotSum(lot, state, 1)
    examples += records.length
  } while (performance.now() - start < 1000 * Number(line))
  const { user, system } = process.cpuUsage(cpuStart)
  say({
    examplesPerSecond: (1000 * examples) / (performance.now() - start),
    examplesPerCpuSecond: (1e6 * examples) / (user + system),
  })
}
say({ peakRssMb: process.resourceUsage().maxRSS / 1024 })
