import { type AdapterSchema, trainedSpecs } from '@fedsvd/core/lora'
import { sizeOf } from '@fedsvd/core/tensor'
import { type EncodedRecord, sumOfLot, type TrainingEngine } from '@fedsvd/engine/training'

/** The label of a record; undefined for one of another task. */
export const labelOf = (record: EncodedRecord): number | undefined => ('label' in record ? record.label : undefined)

/** What a test does each time that the engine computes a micro-batch, or the sum of an empty lot. */
export type OnLot = (records: readonly EncodedRecord[], clipNorm: number) => void | Promise<void>

/** Records of a micro-batch of the fake engine. */
export const FAKE_ROWS = 63

/**
 * An engine without a model: each record has the same gradient, of norm clipNorm, with the sign of its label. What adds
 * it up is the real code. `contributes: false` makes every gradient zero.
 */
export function fakeEngine(
  schema: AdapterSchema,
  onLot: OnLot = () => {},
  { contributes = true }: { readonly contributes?: boolean } = {},
): TrainingEngine {
  const specs = trainedSpecs(schema)
  const dimension = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const gradientOf = (record: EncodedRecord, clipNorm: number): readonly Float32Array[] => {
    const each = contributes ? clipNorm / Math.sqrt(dimension) : 0
    return specs.map(({ shape }) => new Float32Array(sizeOf(shape)).fill(labelOf(record) === 0 ? -each : each))
  }
  return {
    schema,
    verify: async () => {},
    rowsFor: () => FAKE_ROWS,
    clippedLotSum: async (lot, _state, clipNorm, options) => {
      if (lot.members.length === 0) await onLot([], clipNorm)
      return await sumOfLot(
        lot,
        { specs, clipNorm },
        {
          accepted: (record) => record,
          shapeOf: () => ({ rows: FAKE_ROWS, length: 1, targets: 0 }),
          gradients: async (records) => {
            await onLot(records, clipNorm)
            return records.map((record) => gradientOf(record, clipNorm))
          },
        },
        options,
      )
    },
    recordGradients: async (records) => {
      await onLot(records, 1)
      return records.map((record) => ({ loss: 0, gradient: gradientOf(record, 1) }))
    },
    logits: async (records) => new Float32Array(2 * records.length),
    features: async () => new Float32Array(0),
    [Symbol.asyncDispose]: async () => {},
  }
}
