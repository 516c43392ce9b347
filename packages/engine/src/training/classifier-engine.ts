import type { AdapterSchema, AdapterState } from '@fedsvd/core/lora'
import { type ClassifierModel, inferenceGraph, PADDING_ID, trainingGraph } from '@fedsvd/core/models'
import type { RunnerFactory } from '../runtime/index.ts'
import { checkFinite, labelFault, type RecordLimits, tokensFault } from './checks.ts'
import { graphEngine } from './graph-engine.ts'
import { padBatch } from './micro-batches.ts'
import type { EncodedRecord, TrainingEngine } from './training-engine.ts'

export interface ClassifierEngineOptions {
  readonly model: ClassifierModel
  readonly schema: AdapterSchema
  readonly limits: RecordLimits
  /** Most places of a micro-batch: enough to keep the matrix products busy, few enough to stay in the cache. */
  readonly maxTokensPerMicroBatch: number
  /** Makes each of the two graphs ready when it is first needed. */
  readonly createRunner: RunnerFactory
}

/** A {@link TrainingEngine} for any encoder that is written as a graph. */
export function classifierEngine(options: ClassifierEngineOptions): TrainingEngine {
  const { model, schema, limits, maxTokensPerMicroBatch, createRunner } = options
  const engine = graphEngine<EncodedRecord>({
    schema,
    positions: limits.positions,
    maxTokensPerMicroBatch,
    createRunner,
    training: (trained) => trainingGraph(model, trained),
    inference: () => inferenceGraph(model),
    fault: (record, purpose) =>
      tokensFault(record, limits) ?? (purpose === 'training' ? labelFault(record, limits) : undefined),
    targets: () => 0,
    pack: (records, shape) => ({ ...padBatch(records, shape, PADDING_ID) }),
  })

  const rowsOf = async (
    output: 'logits' | 'features',
    width: number,
    records: readonly EncodedRecord[],
    state: AdapterState,
  ): Promise<Float32Array> => {
    const rows = new Float32Array(records.length * width)
    await engine.infer(records, state, (members, outputs) => {
      const data = outputs[output]!.data as Float32Array
      members.forEach((position, row) => {
        rows.set(data.subarray(row * width, (row + 1) * width), position * width)
      })
    })
    checkFinite(rows, output)
    return rows
  }

  return {
    schema,
    verify: engine.verify,
    rowsFor: engine.rowsFor,
    clippedLotSum: engine.clippedLotSum,
    recordGradients: engine.recordGradients,
    logits: (records, state) => rowsOf('logits', model.classes, records, state),
    features: (records, state) => rowsOf('features', model.featureWidth, records, state),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}
