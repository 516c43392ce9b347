import type { AdapterSchema, AdapterState } from '@fedsvd/core/lora'
import type { ClippedSum } from '@fedsvd/core/privacy'
import type { EncodedRecord, LabelledRecord, TargetedRecord } from '../datasets/index.ts'
import type { LotSumOptions } from './gradient-source.ts'
import type { Lot } from './lots/index.ts'

export type { EncodedRecord, LabelledRecord, TargetedRecord }

/** What the private step computes of one record. Private, all of it. */
export interface RecordGradient {
  /** Cross-entropy in nats. */
  readonly loss: number
  /** Row-major, one array per trained tensor, in the order of `trainedSpecs(schema)`; before clipping. */
  readonly gradient: readonly Float32Array[]
}

/**
 * Computes with the private records of one client. All results are a function of the arguments alone; runs of
 * the model are queued, so calls may overlap.
 *
 * Errors: SHAPE_MISMATCH or NOT_FINITE (a state that does not fit the model), NOISE_INVALID (a clipNorm out of range),
 * and, but for `clippedLotSum`, DATA_EMPTY (a record without tokens), LABEL_UNKNOWN (a label outside 0 .. classes - 1)
 * and SHAPE_MISMATCH (a token list that does not fit the model, or a record of another task).
 */
export interface PrivateEngine extends AsyncDisposable {
  readonly schema: AdapterSchema
  /**
   * Finds out whether the runtime may compute private steps, before anything is spent on one; once, where it is in
   * question.
   *
   * @throws FedsvdError RUNTIME_UNAVAILABLE
   */
  verify(): Promise<void>
  /** Rows of the micro-batch in which a record is computed: a function of its own length. */
  rowsFor(record: EncodedRecord): number
  /**
   * The exact integer sum over a lot of any size; an empty one gives zeros. A record contributes the same integers
   * whatever else is in the lot. Nothing about a record makes it fail: one that the model cannot take, or whose
   * gradient is not finite, contributes zeros.
   */
  clippedLotSum(lot: Lot, state: AdapterState, clipNorm: number, options?: LotSumOptions): Promise<ClippedSum>
  /** The gradient of each record by itself, in input order: for tests, and for the test of the engine by itself. */
  recordGradients(records: readonly EncodedRecord[], state: AdapterState): Promise<readonly RecordGradient[]>
}

/** What a model says at the targets of one record, in their order. */
export interface TargetScores {
  /** Cross-entropy in nats. */
  readonly losses: Float32Array
  /** The most likely tag or token; of equals the first. */
  readonly predicted: Int32Array
}

/** For the tasks with a target at each token. */
export interface TokenEngine extends PrivateEngine {
  /** One entry for each record, in input order. */
  scores(records: readonly EncodedRecord[], state: AdapterState): Promise<readonly TargetScores[]>
}

/** The engine of a run: which of the two follows from its task. */
export type TaskEngine = TrainingEngine | TokenEngine

/** For sequence classification. */
export interface TrainingEngine extends PrivateEngine {
  /** Row-major [records, classes], in input order. Labels are not looked at. */
  logits(records: readonly EncodedRecord[], state: AdapterState): Promise<Float32Array>
  /** The encoder's output for every record, row-major [records, featureWidth], in input order. */
  features(records: readonly EncodedRecord[], state: AdapterState): Promise<Float32Array>
}

/** Whether an engine can say what a model predicts: all but doubles that only train. */
export function canEvaluate(engine: PrivateEngine): engine is TaskEngine {
  return 'logits' in engine || 'scores' in engine
}
