import { setImmediate } from 'node:timers/promises'
import { type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import type { DataPaths, ReadOptions, SiteRecord } from '@fedsvd/engine/datasets'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import type { EncodedRecord } from '@fedsvd/engine/training'
import type { Model, ModelRegistry } from '../models/index.ts'
import type { EvaluatorFactory } from './evaluator.ts'
import { evaluatorOn } from './evaluator-on.ts'
import { readPublicRecords } from './public-records.ts'

export interface HoldOutOptions {
  readonly paths: DataPaths
  /** How they are read, as a site reads its data. */
  readonly reading: ReadOptions
  readonly models: ModelRegistry
  readonly runtime: RuntimeSettings
}

const RECORDS_AT_A_TIME = 64

/**
 * Evaluators on public records. Their files are read at once, so that a bad row or a missing runtime stops the start
 * and not a run; each run gets an engine of its own, and reads the files for its own task.
 *
 * @throws FedsvdError DATA_UNREADABLE, DATA_EMPTY or RUNTIME_UNAVAILABLE
 */
export async function holdOutEvaluators({
  paths,
  reading,
  models,
  runtime,
}: HoldOutOptions): Promise<EvaluatorFactory> {
  const { loadRuntime } = await import('@fedsvd/engine/runtime')
  await loadRuntime(runtime)
  const texts = await readPublicRecords(paths, reading)
  return async (manifest) => {
    const model = await models.open(manifest.model)
    const given = await texts.forTask(resolveManifest(manifest).task)
    const encoded = await encodeInTurns(given, manifest, await model.loadTokenizer())
    const engine = await model.createEngine(manifest, runtime)
    return { ...evaluatorOn(engine, encoded, manifest), [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() }
  }
}

/** Tokenises a few records at a time: the coordinator serves its clients in between. */
async function encodeInTurns(
  given: readonly SiteRecord[],
  { task, labels, model }: RunManifest,
  tokenizer: Awaited<ReturnType<Model['loadTokenizer']>>,
): Promise<readonly EncodedRecord[]> {
  const { taskEncoder } = await import('@fedsvd/engine/datasets')
  const encode = taskEncoder(tokenizer, { task, labels, maxTokens: model.maxTokens })
  const records: EncodedRecord[] = []
  for (const [index, record] of given.entries()) {
    records.push(await encode(record, `in record ${index + 1}`))
    if (index % RECORDS_AT_A_TIME === RECORDS_AT_A_TIME - 1) await setImmediate()
  }
  return records
}
