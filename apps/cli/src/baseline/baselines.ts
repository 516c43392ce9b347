import { DEFAULT_TASK, initialState } from '@fedsvd/core/lora'
import { type Interval, largestShare, wilsonInterval } from '@fedsvd/core/metrics'
import { runDefaults } from '@fedsvd/core/protocol'
import { fitTextBaseline } from '@fedsvd/engine/baselines'
import { type TextRecord, taskEncoder } from '@fedsvd/engine/datasets'
import { measure, splitForValidation, trainLocally } from '@fedsvd/engine/local-training'
import type { ModelStore } from '@fedsvd/engine/models'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import { engineFor, schemaFor, tokenizerFor } from '@fedsvd/engine/training'
import { registerStarter } from '@fedsvd/starter/register'

registerStarter()

/** What one way of doing without a federation reaches on the records that are tested on. */
export interface BaselineRow {
  readonly name: string
  readonly accuracy: number
  /** Wilson's, at 95 %. */
  readonly interval: Interval
}

export interface BaselineData {
  readonly training: readonly TextRecord[]
  readonly test: readonly TextRecord[]
  readonly labels: readonly string[]
}

const textOf = ({ text, pair }: TextRecord): string => (pair === undefined ? text : `${text} ${pair}`)

/** Always the largest class, and TF-IDF with logistic regression. */
export function simpleBaselines({ training, test, labels }: BaselineData): readonly BaselineRow[] {
  const classOf = ({ label }: TextRecord): number => labels.indexOf(label)
  const predict = fitTextBaseline(
    training.map((record) => ({ text: textOf(record), label: classOf(record) })),
    labels.length,
  )
  const right = test.filter((record) => predict(textOf(record)) === classOf(record)).length
  const majority = Math.round(largestShare(test.map(classOf)) * test.length)
  return [
    rowOf('always the largest class', majority, test.length),
    rowOf('TF-IDF and logistic regression', right, test.length),
  ]
}

export interface ModelAlone {
  readonly model: string
  readonly maxTokens?: number | undefined
  readonly epochs: number
  readonly seed: string
  readonly runtime: RuntimeSettings
  readonly models: ModelStore
  readonly onEpoch: (epoch: number, accuracy: number) => void
  readonly signal?: AbortSignal | undefined
}

/** The model of a run with its usual terms, trained on these records alone and without noise. */
export async function modelAlone(
  { training, test, labels }: BaselineData,
  { model: name, maxTokens, epochs, seed, runtime, models, onEpoch, signal }: ModelAlone,
): Promise<BaselineRow> {
  const task = DEFAULT_TASK
  const usual = runDefaults({ model: name, task }, maxTokens)
  const model = { name, ...usual.model, ...(maxTokens !== undefined && { maxTokens }) }
  const adapter = await schemaFor({ task, model, adapter: usual.adapter, classes: labels.length }, models)
  const tokenizer = await tokenizerFor(model, models)
  const encode = taskEncoder(tokenizer, { task, labels, maxTokens: model.maxTokens })
  const encodeAll = async (records: readonly TextRecord[]) =>
    await Promise.all(records.map((record, index) => encode(record, `in record ${index + 1}`)))
  const parts = splitForValidation(await encodeAll(training), VALIDATION_SHARE, seed)
  const tested = await encodeAll(test)
  await using engine = await engineFor({ task, model, labels, adapter }, runtime, models)
  const { clipNorm, learningRate } = usual
  const terms = {
    train: 'all',
    epochs,
    batchSize: BATCH,
    learningRates: [learningRate],
    clipNorm,
    seed,
    signal,
  } as const
  const { state } = await trainLocally(
    engine,
    parts,
    initialState(adapter, { seed }),
    { ...terms, classes: labels.length },
    (epoch, { accuracy }) => onEpoch(epoch, accuracy),
  )
  const { accuracy } = await measure(engine, tested, state, labels.length)
  return rowOf(`${name}, trained here alone`, Math.round(accuracy * test.length), test.length)
}

/** Of the training records, to decide when to stop. */
const VALIDATION_SHARE = 0.1
const BATCH = 32

function rowOf(name: string, right: number, of: number): BaselineRow {
  return { name, accuracy: right / of, interval: wilsonInterval(right, of) }
}
