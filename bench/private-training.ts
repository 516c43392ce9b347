/**
 * How well a private federated run learns, without a network: the starter corpus, the real engine, the real mechanism
 * and the real re-factorisation, in one process. For tuning, and for paired comparisons over seeds.
 *
 *   npx tsx bench/private-training.ts --seeds 5                # the run of the demo
 *   npx tsx bench/private-training.ts --probe --seeds 5        # the head alone on the frozen encoder
 *
 * A seed decides the public initialisation; lots and noise come from the operating system, as they must, so two runs of
 * one seed differ. `--json` prints one line of JSON for each run.
 */

import { randomFillSync } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { calibrateNoiseMultiplier, eventOfRound, pld } from '../packages/core/src/accounting/index.ts'
import { beginMean, serverStep } from '../packages/core/src/federation/index.ts'
import {
  type AdapterState,
  initialState,
  trainedSpecs,
  trainedTensors,
  withTrained,
} from '../packages/core/src/lora/index.ts'
import { beginPrivateRound, type PrivateRound, reservationFrom } from '../packages/core/src/privacy/index.ts'
import type { RandomSource } from '../packages/core/src/random/index.ts'
import type { NamedTensor } from '../packages/core/src/tensor/index.ts'
import {
  type EncodedRecord,
  encodeRecords,
  recordsInMemory,
  type TextRecord,
} from '../packages/engine/src/datasets/index.ts'
import { sumOfLot, type TrainingEngine } from '../packages/engine/src/training/index.ts'
import { writeStarterCorpus } from '../packages/starter/src/corpus/index.ts'
import { createStarterEngine, loadStarterTokenizer } from '../packages/starter/src/index.ts'

const LABELS = ['ham', 'spam']
const DELTA = 1e-5

const { values: given } = parseArgs({
  options: {
    tokens: { type: 'string', default: '128' },
    lot: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '6' },
    'local-steps': { type: 'string', default: '5' },
    epsilon: { type: 'string', default: '6' },
    clip: { type: 'string', default: '0.5' },
    'learning-rate': { type: 'string', default: '12' },
    momentum: { type: 'string', default: '0' },
    rank: { type: 'string', default: '8' },
    alpha: { type: 'string', default: '8' },
    'feature-scale': { type: 'string', default: '10' },
    method: { type: 'string', default: 'fedsvd' },
    seeds: { type: 'string', default: '1' },
    'first-seed': { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
    'every-round': { type: 'boolean', default: false },
    probe: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const number = (name: Exclude<keyof typeof given, 'probe' | 'json' | 'method' | 'every-round'>) => Number(given[name])
const source: RandomSource = { kind: 'os-csprng', fill: (bytes) => void randomFillSync(bytes) }

interface Party {
  readonly records: readonly EncodedRecord[]
  readonly sampleRate: number
  readonly noiseMultiplier: number
}

const steps = number('rounds') * number('local-steps')
const corpus = await writeStarterCorpus(join(mkdtempSync(join(tmpdir(), 'fedsvd-bench-')), 'data'))
const tokenizer = await loadStarterTokenizer()
const encoded = async (file: string) => {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const records = lines.map((line) => JSON.parse(line) as TextRecord)
  return await encodeRecords(records, tokenizer, LABELS, number('tokens'))
}
const holdOut = await encoded(corpus.holdOut)
const parties: Party[] = []
for (const { file } of corpus.clients) {
  const records = await encoded(file)
  const sampleRate = number('lot') / records.length
  const question = { epsilon: number('epsilon'), delta: DELTA, sampleRate, steps, accountant: pld }
  parties.push({ records, sampleRate, noiseMultiplier: calibrateNoiseMultiplier(question) })
}

await using encoder = await createStarterEngine({
  rank: number('rank'),
  alpha: number('alpha'),
  headMode: 'trained',
  classes: LABELS.length,
  threads: number('threads'),
  maxTokens: number('tokens'),
  featureScale: number('feature-scale'),
})

const engine = given.probe ? await headAlone(encoder) : encoder

const accuracies: number[] = []
for (let seed = number('first-seed'); seed < number('first-seed') + number('seeds'); seed += 1) {
  const started = performance.now()
  let state = initial(`bench ${seed}`)
  const curve: number[] = []
  for (let round = 0; round < number('rounds'); round += 1) {
    const mean = beginMean(trainedSpecs(engine.schema))
    for (const party of parties) mean.add(await train(party, state, round))
    const method = given.method === 'ffa-lora' ? 'ffa-lora' : 'fedsvd'
    state = given.probe
      ? withHead(state, mean.mean())
      : serverStep({ manifest: { method, adapter: engine.schema }, state, mean: mean.mean() }).state
    if (given['every-round']) curve.push(await accuracyOf(engine, state))
  }
  const accuracy = await accuracyOf(engine, state)
  accuracies.push(accuracy)
  const seconds = (performance.now() - started) / 1000
  const shown = curve.map((value) => value.toFixed(3)).join(' ')
  if (given.json) console.log(JSON.stringify({ ...given, seed, accuracy, seconds, curve }))
  else console.log(`seed ${seed}: ${accuracy.toFixed(4)} after ${steps} steps, ${seconds.toFixed(0)} s ${shown}`)
}
const average = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length
const spread = Math.sqrt(accuracies.reduce((sum, value) => sum + (value - average) ** 2, 0) / accuracies.length)
if (!given.json) console.log(`mean ${average.toFixed(4)}, standard deviation ${spread.toFixed(4)}`)

function initial(seed: string): AdapterState {
  const { head } = initialState(encoder.schema, { seed })
  return given.probe ? { basis: 0, a: [], b: [], head } : initialState(encoder.schema, { seed })
}

function withHead(state: AdapterState, mean: readonly NamedTensor[]): AdapterState {
  const moved = (tensor: NamedTensor, t: number) => ({
    ...tensor,
    data: tensor.data.map((value, i) => value + mean[t]!.data[i]!),
  })
  return { ...state, head: state.head.map(moved) }
}

/**
 * One client's round, as the client node runs it, with a reservation that pays for nothing because nothing is released.
 */
async function train(party: Party, state: AdapterState, round: number) {
  const terms = {
    clipNorm: number('clip'),
    steps: number('local-steps'),
    sampleRate: party.sampleRate,
    noiseMultiplier: party.noiseMultiplier,
  }
  const event = eventOfRound({ localSteps: terms.steps, clipNorm: terms.clipNorm }, terms)
  const entry = { runId: 'bench', round, attempt: 0, datasetFingerprint: 'bench', entryHash: 'bench', durable: true }
  const privateRound: PrivateRound = beginPrivateRound({
    ...terms,
    specs: trainedSpecs(engine.schema),
    start: trainedTensors(engine.schema, state),
    learningRate: number('learning-rate'),
    momentum: number('momentum'),
    expectedLotSize: number('lot'),
    reservation: reservationFrom({ ...entry, event }),
    source,
  })
  const records = recordsInMemory(party.records)
  for (let step = 0; step < terms.steps; step += 1) {
    const lot = { records, members: privateRound.drawLot(records.size) }
    const trained = privateRound.current()
    const here = withTrained(engine.schema, state, trained)
    await privateRound.step(await engine.clippedLotSum(lot, here, terms.clipNorm))
  }
  return (await privateRound.finish()).tensors
}

/**
 * The private probe: the same run with the head alone trained, on the features of the frozen encoder. Its lots go
 * through the plain arithmetic of core in place of a graph.
 */
async function headAlone(base: TrainingEngine): Promise<TrainingEngine> {
  const schema = { ...base.schema, layers: [] }
  const untouched = initialState(base.schema, { seed: 'probe' })
  const width = base.schema.head[0]!.shape[1]!
  const features = new Map<EncodedRecord, Float32Array>()
  for (const records of [holdOut, ...parties.map((party) => party.records)]) {
    const rows = await base.features(records, untouched)
    records.forEach((record, row) => {
      features.set(
        record,
        rows.subarray(row * width, (row + 1) * width).map((value) => number('feature-scale') * value),
      )
    })
  }
  const logitsOf = (record: EncodedRecord, { head: [weight, bias] }: AdapterState): number[] =>
    LABELS.map((_, label) => {
      const row = weight!.data.subarray(label * width, (label + 1) * width)
      return features.get(record)!.reduce((sum, value, index) => sum + value * row[index]!, bias!.data[label]!)
    })
  const gradientOf = (record: EncodedRecord, state: AdapterState): readonly Float64Array[] => {
    const powers = logitsOf(record, state).map(Math.exp)
    const total = powers.reduce((sum, power) => sum + power, 0)
    const errors = powers.map((power, label) => power / total - Number('label' in record && label === record.label))
    const x = features.get(record)!
    return [
      Float64Array.from(errors.flatMap((error) => Array.from(x, (value) => error * value))),
      Float64Array.from(errors),
    ]
  }
  return {
    ...base,
    schema,
    logits: async (records, state) => Float32Array.from(records.flatMap((record) => logitsOf(record, state))),
    clippedLotSum: (lot, state, clipNorm, options) =>
      sumOfLot(
        lot,
        { specs: trainedSpecs(schema), clipNorm },
        {
          accepted: (record) => record,
          shapeOf: () => ({ rows: 64, length: 1, targets: 0 }),
          gradients: async (records) => records.map((record) => gradientOf(record, state)),
        },
        options,
      ),
  }
}

async function accuracyOf(measured: TrainingEngine, state: AdapterState): Promise<number> {
  const logits = await measured.logits(holdOut, state)
  const right = holdOut.filter(({ label }, row) => Number(logits[2 * row + 1]! > logits[2 * row]!) === label)
  return right.length / holdOut.length
}
