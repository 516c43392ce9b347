import type { AdapterSchema, AdapterState } from '@fedsvd/core/adapters'
import type { EncodedRecord, LabelledRecord, TargetedRecord } from '../data/index.ts'

export type { EncodedRecord, LabelledRecord, TargetedRecord }

/** The clipped, gridded sum over a lot, and what is known about each of its records. */
export interface LotResult {
  /**
   * Integers, in units of clipNorm * 2^-GRID_BITS: one array per trained tensor in the order of `trainedSpecs(schema)`.
   * Exact: a record contributes the same integers whatever else is in the lot, so adding or removing one changes the sum
   * by its own contribution and by nothing else.
   */
  readonly gridSum: readonly Float64Array[]
  /** L2 norm of every record's gradient before clipping, in input order. Private: it never leaves the client. */
  readonly norms: Float32Array
  /** Cross-entropy of every record in nats, in input order. Private as well. */
  readonly losses: Float32Array
}

/**
 * Computes with the private records of one client. All results are a function of the arguments alone; calls are queued,
 * never interleaved.
 *
 * Errors: DATA_EMPTY (a record without tokens), LABEL_UNKNOWN (a label outside 0 .. classes - 1), SHAPE_MISMATCH (a
 * factor or a token list that does not fit the model, or a record of another task), NOT_FINITE (a factor, gradient or
 * logit is NaN or infinite), CONFIG_INVALID (a clipNorm that is not a positive number).
 */
export interface PrivateEngine extends AsyncDisposable {
  readonly schema: AdapterSchema
  /** The exact integer sum over any number of records; no records give zeros. */
  clippedLotSum(records: readonly EncodedRecord[], state: AdapterState, clipNorm: number): Promise<LotResult>
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
