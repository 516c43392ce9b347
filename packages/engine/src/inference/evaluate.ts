import { FedsvdError } from '@fedsvd/core/errors'
import {
  CALIBRATION_BINS,
  type ClassificationReport,
  calibrationBins,
  classificationReport,
  confusionFigures,
  confusionOf,
  expectedCalibrationError,
  largestShare,
  measureTargets,
  targetsOf,
} from '@fedsvd/core/metrics'
import { type SiteRecord, taskEncoder } from '../datasets/index.ts'
import type { EncodedRecord, LabelledRecord, TargetedRecord } from '../training/index.ts'
import { confidencesOf } from './confidence.ts'
import type { ModelInUse } from './model-in-use.ts'
import type { TextScorer, TokenScorer } from './scorer.ts'

/** What was found on labelled texts, or on tagged words. */
export interface LabelEvaluation extends ClassificationReport {
  readonly task: 'sequence-classification' | 'token-classification'
  readonly labels: readonly string[]
  /** Of what the figures count: texts, or words. */
  readonly counts: 'texts' | 'words'
  /** Texts that were read. */
  readonly texts: number
  /** Of tags alone: micro-averaged F1 over all labels but "O". */
  readonly microF1?: number
}

/** What was found where tokens are predicted. */
export interface TokenEvaluation {
  readonly task: 'causal-lm' | 'instruction-tuning'
  readonly texts: number
  /** Targets that were predicted. */
  readonly tokens: number
  /** Share of the targets at which the most likely token is the right one. */
  readonly accuracy: number
  /** Mean cross-entropy in nats. */
  readonly loss: number
  /** exp(loss). */
  readonly perplexity: number
  /** What always predicting the most frequent token would reach. */
  readonly majority: number
}

export type ModelEvaluation = LabelEvaluation | TokenEvaluation

/** Records that are computed together, so that the memory taken does not follow the size of the data set. */
const AT_ONCE = 64

/**
 * Measures a model on records of its task.
 *
 * @throws FedsvdError CONFIG_INVALID for records of another task, LABEL_UNKNOWN, DATA_EMPTY for none
 */
export async function evaluateModel(
  model: ModelInUse,
  records: AsyncIterable<SiteRecord> | Iterable<SiteRecord>,
): Promise<ModelEvaluation> {
  const { scorer } = model
  if ('logits' in scorer) return await evaluateTexts(model, scorer, records)
  return await evaluateTokens(model, scorer, records)
}

type Records = AsyncIterable<SiteRecord> | Iterable<SiteRecord>

async function evaluateTexts(model: ModelInUse, scorer: TextScorer, records: Records): Promise<LabelEvaluation> {
  const { labels } = model
  const parts: Float32Array[] = []
  const targets: number[] = []
  for await (const batch of encodedBatches<LabelledRecord>(model, records)) {
    parts.push(await scorer.logits(batch))
    targets.push(...batch.map(({ label }) => label))
  }
  const logits = new Float32Array(targets.length * labels.length)
  let at = 0
  for (const part of parts) {
    logits.set(part, at)
    at += part.length
  }
  const report = classificationReport({ logits, labels: targets, classes: labels.length })
  return { task: 'sequence-classification', labels, counts: 'texts', texts: targets.length, ...report }
}

async function evaluateTokens(model: ModelInUse, scorer: TokenScorer, records: Records): Promise<ModelEvaluation> {
  const { task, labels } = model
  const isTagger = task === 'token-classification'
  const measured: { targets: Int32Array; losses: Float32Array; predicted: Int32Array }[] = []
  const confidences: number[] = []
  for await (const batch of encodedBatches<TargetedRecord>(model, records)) {
    const scores = await scorer.scores(batch)
    for (const [index, { targets }] of batch.entries()) measured.push({ targets, ...scores[index]! })
    if (isTagger) for (const sure of await confidencesOf(scorer, batch, scores)) confidences.push(...sure)
  }
  const targets = measured.flatMap((record) => targetsOf(record.targets))
  const measure = measureTargets(measured, isTagger ? labels : [])
  if (!isTagger) {
    const { accuracy, loss, records: texts } = measure
    return {
      task: task as TokenEvaluation['task'],
      texts,
      tokens: targets.length,
      accuracy,
      loss,
      perplexity: Math.exp(loss),
      majority: largestShare(targets),
    }
  }
  const predicted = measured.flatMap((record) => [...record.predicted])
  const confusion = confusionOf(targets, predicted, labels.length)
  const bins = calibrationBins(
    predicted.map((tag, index) => ({ confidence: confidences[index]!, isRight: tag === targets[index] })),
    CALIBRATION_BINS,
  )
  return {
    task,
    labels,
    counts: 'words',
    texts: measured.length,
    ...confusionFigures(confusion),
    confusion,
    loss: measure.loss,
    calibration: { expectedCalibrationError: expectedCalibrationError(bins), bins },
    ...(measure.microF1 !== undefined && { microF1: measure.microF1 }),
  }
}

/** @throws FedsvdError DATA_EMPTY where there is no record */
async function* encodedBatches<R extends EncodedRecord>(
  { tokenizer, task, labels, maxTokens }: ModelInUse,
  records: Records,
): AsyncGenerator<readonly R[]> {
  const encode = taskEncoder(tokenizer, { task, labels, maxTokens })
  let [batch, count]: [R[], number] = [[], 0]
  for await (const record of records) {
    count += 1
    batch.push((await encode(record, `in record ${count}`)) as R)
    if (batch.length < AT_ONCE) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
  if (count > 0) return
  throw new FedsvdError('DATA_EMPTY', {
    expected: 'at least one record to measure on',
    got: '0 records',
    remedy: 'Name a file with one record in every row.',
  })
}
