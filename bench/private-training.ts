/**
 * How well a private federated run learns, without a network: the starter corpus, the real engine, the real mechanism and
 * the real re-factorisation, in one process. For tuning, and for paired comparisons over seeds.
 *
 *   npx tsx bench/private-training.ts --tokens 128 --lot 64 --rounds 8 --local-steps 6 --seeds 5
 *   npx tsx bench/private-training.ts --probe --seeds 5        # the head alone on the frozen encoder
 *
 * A seed decides the public initialisation; lots and noise come from the operating system, as they must, so two runs of one
 * seed differ. `--json` prints one line of JSON for each run.
 */

import { randomFillSync } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { calibrateNoiseMultiplier, eventOfRound, pld } from '@fedsvd/core/accounting'
import { type AdapterState, initialState, trainedSpecs, trainedTensors } from '@fedsvd/core/adapters'
import { beginMean, serverStep } from '@fedsvd/core/federation'
import { beginPrivateRound, type PrivateRound, reservationFrom } from '@fedsvd/core/privacy'
import type { RandomSource } from '@fedsvd/core/random'
import { type EncodedRecord, encodeRecords, type TextRecord, writeStarterCorpus } from '@fedsvd/engine/data'
import { loadStarterTokenizer } from '@fedsvd/engine/tokenizer'
import { createStarterEngine, type TrainingEngine } from '@fedsvd/engine/training'

const LABELS = ['ham', 'spam']
const DELTA = 1e-5

const { values: given } = parseArgs({
  options: {
    tokens: { type: 'string', default: '128' },
    lot: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '8' },
    'local-steps': { type: 'string', default: '6' },
    epsilon: { type: 'string', default: '6' },
    clip: { type: 'string', default: '1' },
    'learning-rate': { type: 'string', default: '4' },
    momentum: { type: 'string', default: '0' },
    rank: { type: 'string', default: '8' },
    alpha: { type: 'string', default: '1' },
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
const encoded = (file: string) => {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const records = lines.map((line) => JSON.parse(line) as TextRecord)
  return encodeRecords(records, tokenizer, LABELS, number('tokens'))
}
const holdOut = encoded(corpus.holdOut)
const parties: Party[] = corpus.clients.map(({ file }) => {
  const records = encoded(file)
  const sampleRate = number('lot') / records.length
  const question = { epsilon: number('epsilon'), delta: DELTA, sampleRate, steps, accountant: pld }
  return { records, sampleRate, noiseMultiplier: calibrateNoiseMultiplier(question) }
})

await using engine = await createStarterEngine({
  rank: number('rank'),
  alpha: number('alpha'),
  headMode: 'trained',
  classes: LABELS.length,
  threads: number('threads'),
  maxTokens: number('tokens'),
  featureScale: number('feature-scale'),
})

const accuracies: number[] = []
for (let seed = number('first-seed'); seed < number('first-seed') + number('seeds'); seed += 1) {
  const started = performance.now()
  let state = initialState(engine.schema, { seed: `bench ${seed}` })
  const curve: number[] = []
  for (let round = 0; round < number('rounds'); round += 1) {
    const mean = beginMean(trainedSpecs(engine.schema))
    for (const party of parties) mean.add(await train(party, state, round))
    const method = given.method === 'ffa-lora' ? 'ffa-lora' : 'fedsvd'
    state = serverStep({ manifest: { method, adapter: engine.schema }, state, mean: mean.mean() }).state
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

/** One client's round, as the client node runs it, with a reservation that pays for nothing because nothing is released. */
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
  const layers = engine.schema.layers.length
  for (let step = 0; step < terms.steps; step += 1) {
    const lot = Array.from(privateRound.drawLot(party.records.length), (index) => party.records[index]!)
    const trained = privateRound.current()
    const here = { ...state, b: trained.slice(0, layers), head: trained.slice(layers) }
    privateRound.step((await engine.clippedLotSum(lot, here, terms.clipNorm)).gridSum)
  }
  return privateRound.finish().tensors
}

async function accuracyOf(measured: TrainingEngine, state: AdapterState): Promise<number> {
  const logits = await measured.logits(holdOut, state)
  const right = holdOut.filter(({ label }, row) => Number(logits[2 * row + 1]! > logits[2 * row]!) === label)
  return right.length / holdOut.length
}
