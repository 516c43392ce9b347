import { type AdapterSchema, trainedSpecs } from '@fedsvd/core/adapters'
import { GRID_BITS } from '@fedsvd/core/privacy'
import { sizeOf } from '@fedsvd/core/tensor'
import type { EncodedRecord, LotResult, TrainingEngine } from '@fedsvd/engine/training'

/** The label of a record; undefined for one of another task. */
export const labelOf = (record: EncodedRecord): number | undefined => ('label' in record ? record.label : undefined)

/** What a test does each time that the engine is asked for a sum. */
export type OnLot = (records: readonly EncodedRecord[], clipNorm: number) => void | Promise<void>

/**
 * An engine without a model: each record contributes the same direction, scaled by its label, to every trained number. Its
 * sums are exact integers like those of the real engine, and a record's norm is at most the clip.
 */
export function fakeEngine(schema: AdapterSchema, onLot: OnLot = () => {}): TrainingEngine {
  const sizes = trainedSpecs(schema).map(({ shape }) => sizeOf(shape))
  const dimension = sizes.reduce((sum, size) => sum + size, 0)
  const each = Math.floor(2 ** GRID_BITS / Math.sqrt(dimension))
  return {
    schema,
    clippedLotSum: async (records, _state, clipNorm): Promise<LotResult> => {
      await onLot(records, clipNorm)
      const sum = records.reduce((total, record) => total + (labelOf(record) === 0 ? -each : each), 0)
      return {
        gridSum: sizes.map((size) => new Float64Array(size).fill(sum)),
        norms: new Float32Array(records.length),
        losses: new Float32Array(records.length),
      }
    },
    logits: async (records) => new Float32Array(2 * records.length),
    features: async () => new Float32Array(0),
    [Symbol.asyncDispose]: async () => {},
  }
}
