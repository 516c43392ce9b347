import { type AdapterState, trainedTensors, withTrained } from '@fedsvd/core/lora'
import { gridOf } from '@fedsvd/core/privacy'
import { seededSource, shuffled } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { type EncodedRecord, recordsInMemory } from '../datasets/index.ts'
import type { TaskEngine } from '../training/index.ts'
import { lotOfAll } from '../training/lots/index.ts'
import { type Measurement, measure } from './measure.ts'

/** How a state is trained on records that do not leave. */
export interface LocalTerms {
  /** What moves: the head alone, or the factors B as well. */
  readonly train: 'all' | 'head'
  /** Passes over the records, at most: training ends when the loss has stopped falling. */
  readonly epochs: number
  readonly batchSize: number
  /**
   * At least one. The first epoch is trained with each, and the one with the lowest loss is gone on with; it is halved
   * after each epoch that did not lower the loss.
   */
  readonly learningRates: readonly number[]
  /** Longer gradients of one record are shortened to this norm, which keeps one odd record from deciding a step. */
  readonly clipNorm: number
  /** Of the order of the records. */
  readonly seed: string
  readonly signal?: AbortSignal | undefined
}

export interface LocalRecords {
  readonly training: readonly EncodedRecord[]
  /** Never trained on; they decide which epoch is kept. */
  readonly validation: readonly EncodedRecord[]
}

export interface LocalResult {
  /** The state with the lowest loss on the validation records; the start where no epoch lowered it. */
  readonly state: AdapterState
  readonly before: Measurement
  readonly after: Measurement
  /** Epochs that were trained. */
  readonly epochs: number
}

/** Epochs in a row that may fail to lower the loss. */
const PATIENCE = 3

/**
 * Trains a state on the records of this machine **without privacy**: clipped gradients, no noise, nothing charged. What
 * comes out depends on single records, so neither it nor a figure of it may leave the site.
 *
 * @param onEpoch told after each epoch, counted from 1
 * @throws the signal's reason when it aborts
 */
export async function trainLocally(
  engine: TaskEngine,
  { training, validation }: LocalRecords,
  start: AdapterState,
  terms: LocalTerms & { readonly classes: number },
  onEpoch: (epoch: number, measurement: Measurement) => void = () => {},
): Promise<LocalResult> {
  const source = seededSource(`local-training:${terms.seed}`)
  const before = await measure(engine, validation, start, terms.classes)
  let best = { state: start, after: before }
  let rates = terms.learningRates
  let [epoch, failures] = [0, 0]
  while (epoch < terms.epochs && failures < PATIENCE) {
    epoch += 1
    const order = shuffled(source, training)
    const tried = []
    for (const learningRate of rates) {
      const state = await trainEpoch(engine, order, best.state, { ...terms, learningRate })
      tried.push({ learningRate, state, after: await measure(engine, validation, state, terms.classes) })
    }
    const { learningRate, ...found } = tried.reduce((one, other) => (other.after.loss < one.after.loss ? other : one))
    onEpoch(epoch, found.after)
    const isBetter = found.after.loss < best.after.loss
    if (isBetter) best = found
    failures = isBetter ? 0 : failures + 1
    rates = [isBetter ? learningRate : learningRate / 2]
  }
  return { ...best, before, epochs: epoch }
}

async function trainEpoch(
  engine: TaskEngine,
  records: readonly EncodedRecord[],
  start: AdapterState,
  terms: LocalTerms & { readonly learningRate: number },
): Promise<AdapterState> {
  let state = start
  for (let first = 0; first < records.length; first += terms.batchSize) {
    terms.signal?.throwIfAborted()
    const batch = records.slice(first, first + terms.batchSize)
    const lot = lotOfAll(recordsInMemory(batch))
    const { gridSum } = await engine.clippedLotSum(lot, state, terms.clipNorm, { signal: terms.signal })
    const step = (terms.learningRate * gridOf(terms.clipNorm)) / batch.length
    const factors = engine.schema.layers.length
    const moved = trainedTensors(engine.schema, state).map((tensor, index) =>
      terms.train === 'head' && index < factors ? tensor : descend(tensor, gridSum[index]!, step),
    )
    state = withTrained(engine.schema, state, moved)
  }
  return state
}

function descend(tensor: NamedTensor, gradient: Float64Array, step: number): NamedTensor {
  return { ...tensor, data: tensor.data.map((value, at) => value - step * gradient[at]!) }
}
