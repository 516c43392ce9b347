/**
 * What clip, bound and sum cost of a private step: the share of the processor's time of one lot that is spent on the
 * host after the gradients have left the graph.
 *
 *   npm run bench:clip -- [--json] [--only MODEL] [--threads N]
 *
 * Records have 128 tokens; gradients and sums are measured by turns, in processor time.
 */
import { parseArgs } from 'node:util'
import { initialState, trainedSpecs } from '../packages/core/src/lora/index.ts'
import { beginClippedSum } from '../packages/core/src/privacy/index.ts'
import { sizeOf } from '../packages/core/src/tensor/index.ts'
import { engineOf, MODELS } from './engine-models.ts'

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    threads: { type: 'string', default: '1' },
    lot: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '5' },
  },
})

const TOKENS = 128
const names = given.only ? [given.only] : ['starter', 'bert-base']
const cases: object[] = []
for (const name of names) {
  const model = MODELS[name]
  if (model === undefined) throw new Error(`expected one of ${Object.keys(MODELS).join(', ')}, got ${name}`)
  await using engine = await engineOf(model, { threads: Number(given.threads) })
  const specs = trainedSpecs(engine.schema)
  const initial = initialState(engine.schema, { seed: 'bench' })
  const b = initial.b.map((tensor) => ({ ...tensor, data: tensor.data.map((_, at) => 0.02 * Math.sin(at)) }))
  const state = { ...initial, b }
  const records = Array.from({ length: Number(given.lot) }, (_, n) => ({
    tokenIds: Int32Array.from({ length: TOKENS }, (_, t) => (977 * n + 131 * t) % model.vocabularySize),
    label: n % 2,
  }))
  await engine.recordGradients(records, state)
  const [graph, host]: [number[], number[]] = [[], []]
  for (let round = 0; round < Number(given.rounds); round++) {
    const { time: computed, result: gradients } = await cpuOf(() => engine.recordGradients(records, state))
    const { time: added } = await cpuOf(async () => {
      const sum = beginClippedSum({ specs, clipNorm: 1 })
      for (const { gradient } of gradients) sum.add(gradient)
      return sum.finish()
    })
    graph.push(computed / records.length)
    host.push(added / records.length)
  }
  const [gradientMs, sumMs] = [median(graph), median(host)]
  const share = sumMs / (gradientMs + sumMs)
  const dimension = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  cases.push({ model: name, dimension, tokens: TOKENS, threads: Number(given.threads), gradientMs, sumMs, share })
  if (given.json) continue
  console.log(
    `${name}, ${dimension} trained scalars: gradient ${gradientMs.toFixed(2)} ms, ` +
      `clip, bound and sum ${sumMs.toFixed(3)} ms a record, ${(100 * share).toFixed(2)} % of the step`,
  )
}
if (given.json) console.log(JSON.stringify({ cases }, undefined, 2))

/** Processor time in milliseconds, which a machine that others use too blurs less than time on the clock. */
async function cpuOf<T>(work: () => Promise<T>): Promise<{ readonly time: number; readonly result: T }> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return { time: (user + system) / 1000, result }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
