import type { AdapterSchema } from '@fedsvd/core/lora'
import { PADDING_ID, type TokenModel, tokenInferenceGraph, tokenTrainingGraph } from '@fedsvd/core/models'
import type { RunnerFactory } from '../runtime/index.ts'
import { checkFinite, type RecordLimits, targetsFault, tokensFault } from './checks.ts'
import { graphEngine } from './graph-engine.ts'
import { padBatch } from './micro-batches.ts'
import { padTargets, targetPositions } from './pad-targets.ts'
import type { TargetedRecord, TargetScores, TokenEngine } from './training-engine.ts'

export interface TokenEngineOptions {
  readonly model: TokenModel
  readonly schema: AdapterSchema
  readonly limits: RecordLimits
  /** Most places of a micro-batch; see {@link maxTokensPerMicroBatchFor}. */
  readonly maxTokensPerMicroBatch: number
  readonly createRunner: RunnerFactory
}

/** As for classification: enough places to keep the products busy, few enough that blank rows cost little. */
const MAX_PLACES = 256

/** Most logits of a micro-batch, 128 MiB of them, unless a single record has more. */
const MAX_LOGITS = 2 ** 25

/** Places of a micro-batch whose every place may have as many logits as the model has outputs. */
export function maxTokensPerMicroBatchFor(outputs: number): number {
  return Math.max(1, Math.min(MAX_PLACES, Math.floor(MAX_LOGITS / outputs)))
}

/** A {@link TokenEngine} for any model that says something about single tokens. */
export function tokenEngine(options: TokenEngineOptions): TokenEngine {
  const { model, schema, limits, maxTokensPerMicroBatch, createRunner } = options
  const engine = graphEngine<TargetedRecord>({
    schema,
    positions: limits.positions,
    maxTokensPerMicroBatch,
    createRunner,
    training: (trained) => tokenTrainingGraph(model, trained),
    inference: () => tokenInferenceGraph(model),
    fault: (record) => tokensFault(record, limits) ?? targetsFault(record, limits),
    targets: (record) => Math.max(1, targetPositions(record).length),
    pack: (records, shape) => ({ ...padBatch(records, shape, PADDING_ID), ...padTargets(records, shape) }),
  })
  return {
    schema,
    verify: engine.verify,
    rowsFor: engine.rowsFor,
    clippedLotSum: engine.clippedLotSum,
    recordGradients: engine.recordGradients,
    scores: async (records, state) => {
      const found: TargetScores[] = []
      await engine.infer(records, state, (members, outputs) => {
        const { tokenLosses, predicted } = outputs as Record<'tokenLosses' | 'predicted', Outputs>
        const places = predicted.shape[1]!
        members.forEach((position, row) => {
          const count = targetPositions(records[position] as TargetedRecord).length
          const own = <T extends Float32Array | Int32Array>(data: T) =>
            data.slice(row * places, row * places + count) as T
          found[position] = {
            losses: own(tokenLosses.data as Float32Array),
            predicted: own(predicted.data as Int32Array),
          }
        })
      })
      for (const { losses } of found) checkFinite(losses, 'loss')
      return found
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}

interface Outputs {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}
