import { setImmediate } from 'node:timers/promises'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { TextRecord } from '@fedsvd/engine/data'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import type { EncodedRecord } from '@fedsvd/engine/training'
import type { Model, ModelRegistry } from '../models/index.ts'
import type { Baseline, Evaluation } from '../store/index.ts'
import type { EvaluatorFactory } from './evaluator.ts'

export interface HoldOutOptions {
  readonly file: string
  readonly models: ModelRegistry
  readonly runtime: RuntimeSettings
}

const RECORDS_AT_A_TIME = 64

/**
 * Evaluators on one public file of labelled records. The file is read at once, so that a bad row or a missing runtime stops the start and not
 * a run; each run gets an engine of its own.
 *
 * @throws FedsvdError DATA_UNREADABLE, DATA_EMPTY or RUNTIME_UNAVAILABLE
 */
export async function holdOutEvaluators({ file, models, runtime }: HoldOutOptions): Promise<EvaluatorFactory> {
  const { loadRecords } = await import('@fedsvd/engine/data')
  const { loadRuntime } = await import('@fedsvd/engine/runtime')
  await loadRuntime(runtime)
  const texts = await loadRecords(file)
  return async (manifest) => {
    const model = await models(manifest.model)
    const records = await encodeInTurns(texts, manifest, await model.loadTokenizer())
    const engine = await model.createEngine(manifest, runtime)
    return {
      baseline: baselineOf(records),
      evaluate: async (state) => measure(await engine.logits(records, state), records, manifest.labels.length),
      [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
    }
  }
}

/** Tokenises a few records at a time: the coordinator serves its clients in between. */
async function encodeInTurns(
  texts: readonly TextRecord[],
  { labels, model }: RunManifest,
  tokenizer: Awaited<ReturnType<Model['loadTokenizer']>>,
): Promise<readonly EncodedRecord[]> {
  const { encodeRecords } = await import('@fedsvd/engine/data')
  const records: EncodedRecord[] = []
  for (let start = 0; start < texts.length; start += RECORDS_AT_A_TIME) {
    records.push(...encodeRecords(texts.slice(start, start + RECORDS_AT_A_TIME), tokenizer, labels, model.maxTokens))
    await setImmediate()
  }
  return records
}

/** What guessing the most frequent class would reach. */
export function baselineOf(records: readonly { readonly label: number }[]): Baseline {
  const counts = new Map<number, number>()
  for (const { label } of records) counts.set(label, (counts.get(label) ?? 0) + 1)
  return { majority: Math.max(...counts.values()) / records.length, records: records.length }
}

/** Accuracy and mean cross-entropy in nats of row-major logits [records, classes]; a tie goes to the lower class. */
export function measure(
  logits: Float32Array,
  records: readonly { readonly label: number }[],
  classes: number,
): Evaluation {
  let right = 0
  let loss = 0
  for (const [index, { label }] of records.entries()) {
    const row = logits.subarray(index * classes, (index + 1) * classes)
    const largest = row.reduce((left, value) => Math.max(left, value), Number.NEGATIVE_INFINITY)
    if (row.indexOf(largest) === label) right += 1
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0)
    loss += Math.log(sum) + largest - row[label]!
  }
  return { accuracy: right / records.length, loss: loss / records.length, records: records.length }
}
