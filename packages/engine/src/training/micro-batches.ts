import { shortestFirst } from './lots/index.ts'

/**
 * The shape of the tensors that a micro-batch is computed in. In the private step it is a function of a record's own
 * length and of public constants: blank rows fill what the lot leaves open. So the same operations on the same sizes
 * compute a record whatever else is in the lot.
 */
export interface BatchShape {
  readonly rows: number
  /** Tokens of every row. */
  readonly length: number
  /** Places for targets in every row; 0 where a record has one label. */
  readonly targets: number
}

/** What decides the shapes of a run's micro-batches: public constants, all of them. */
export interface BatchLimits {
  /** Places that the model has; records may be padded up to it. */
  readonly positions: number
  /** Most places (rows times length), unless a single record is longer. */
  readonly maxTokensPerMicroBatch: number
  /** Trained scalars: the gradients of all rows are held at once. */
  readonly dimension: number
}

/** Most bytes of gradients of one micro-batch, unless a single record has more. */
const MAX_GRADIENT_BYTES = 64 * 2 ** 20

/** The shape in which a record of `tokens` tokens and `targets` targets is computed. */
export function shapeFor(
  tokens: number,
  targets: number,
  { positions, maxTokensPerMicroBatch, dimension }: BatchLimits,
): BatchShape {
  const length = paddedLength(tokens, positions)
  const rows = Math.min(
    Math.floor(maxTokensPerMicroBatch / length),
    Math.floor(MAX_GRADIENT_BYTES / (4 * dimension)),
    MAX_ROWS,
  )
  return { rows: Math.max(1, rows), length, targets: targets > 0 ? paddedLength(targets, positions) : 0 }
}

/** More rows than this gain no speed. */
const MAX_ROWS = 64

/** The limits of one run of the inference graph. */
export interface MicroBatchLimits {
  readonly maxRecords: number
  /** Most places (records times the longest record), unless a single record is longer. */
  readonly maxTokensPerMicroBatch: number
}

/**
 * Cuts records into micro-batches of similar lengths, so that short records are not padded to the length of long ones.
 * For inference: the shapes depend on the company.
 *
 * Yields positions in `lengths`, one micro-batch at a time; every position is in exactly one micro-batch, whose last
 * member is its longest. The result depends on the lengths and their order only.
 */
export function* microBatches(lengths: ArrayLike<number>, limits: MicroBatchLimits): Generator<readonly number[]> {
  let current: number[] = []
  for (const position of shortestFirst(lengths)) {
    const places = (current.length + 1) * lengths[position]!
    if (current.length > 0 && (current.length === limits.maxRecords || places > limits.maxTokensPerMicroBatch)) {
      yield current
      current = []
    }
    current.push(position)
  }
  if (current.length > 0) yield current
}

/** Lengths are padded to a multiple of this: a vector register of 16 float32. */
const LENGTH_UNIT = 16

/** The label of a row that is no record: its loss and its gradient are zero. */
const NO_LABEL = -1

/** The length to which a record is padded, at most `maxTokens`. */
export function paddedLength(tokens: number, maxTokens: number): number {
  return Math.min(Math.ceil(tokens / LENGTH_UNIT) * LENGTH_UNIT, maxTokens)
}

/**
 * What the graphs take: token ids [rows, length], filled up with `paddingId`, types [rows, length], and labels [rows].
 */
export interface PaddedBatch {
  readonly tokenIds: { readonly shape: readonly [number, number]; readonly data: Int32Array }
  readonly typeIds: { readonly shape: readonly [number, number]; readonly data: Int32Array }
  readonly labels: { readonly shape: readonly [number]; readonly data: Int32Array }
}

/** Records as tensors of the given shape; rows after the records are blank. */
export function padBatch(
  records: readonly { readonly tokenIds: Int32Array; readonly typeIds?: Int32Array; readonly label?: number }[],
  { rows, length }: Pick<BatchShape, 'rows' | 'length'>,
  paddingId: number,
): PaddedBatch {
  const tokenIds = new Int32Array(rows * length).fill(paddingId)
  const typeIds = new Int32Array(rows * length)
  const labels = new Int32Array(rows).fill(NO_LABEL)
  for (const [row, record] of records.entries()) {
    tokenIds.set(record.tokenIds, row * length)
    if (record.typeIds) typeIds.set(record.typeIds, row * length)
    if (record.label !== undefined) labels[row] = record.label
  }
  return {
    tokenIds: { shape: [rows, length], data: tokenIds },
    typeIds: { shape: [rows, length], data: typeIds },
    labels: { shape: [rows], data: labels },
  }
}
