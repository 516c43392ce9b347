import { shortestFirst } from '../lots/index.ts'

/** The limits of one run of the training graph. */
export interface MicroBatchLimits {
  readonly maxRecords: number
  /** Most places (records times the longest record), unless a single record is longer. */
  readonly maxPlaces: number
}

/**
 * Cuts a lot into micro-batches of similar lengths, so that short records are not padded to the length of long ones.
 *
 * Yields positions in `lengths`, one micro-batch at a time; every position is in exactly one micro-batch, whose last member is
 * its longest. The result depends on the lengths and their order only.
 */
export function* microBatches(lengths: ArrayLike<number>, limits: MicroBatchLimits): Generator<readonly number[]> {
  let current: number[] = []
  for (const position of shortestFirst(lengths)) {
    const places = (current.length + 1) * lengths[position]!
    if (current.length > 0 && (current.length === limits.maxRecords || places > limits.maxPlaces)) {
      yield current
      current = []
    }
    current.push(position)
  }
  if (current.length > 0) yield current
}

/**
 * Lengths are padded to a multiple of this: a vector register of 16 float32. Sums along the sequence are then grouped in
 * the same way however far a record is padded.
 */
const LENGTH_UNIT = 16

/** A product with a single row takes another path through the runtime, with another order of addition; two rows do not. */
const MIN_ROWS = 2

/** The label of a row that is no record: its loss and its gradient are zero. */
const NO_LABEL = -1

/** The length to which a record alone would be padded, at most `maxTokens`. */
export function paddedLength(tokens: number, maxTokens: number): number {
  return Math.min(Math.ceil(tokens / LENGTH_UNIT) * LENGTH_UNIT, maxTokens)
}

/** What the graphs take: token ids [rows, length], filled up with `paddingId`, types [rows, length], and labels [rows]. */
export interface PaddedBatch {
  readonly tokenIds: { readonly shape: readonly [number, number]; readonly data: Int32Array }
  readonly typeIds: { readonly shape: readonly [number, number]; readonly data: Int32Array }
  readonly labels: { readonly shape: readonly [number]; readonly data: Int32Array }
}

/**
 * The members of a micro-batch as tensors, in rows of equal length; rows after the members are blank.
 *
 * Length and number of rows are chosen so that what a record contributes does not depend, in any bit, on which records
 * it is computed with. A test holds the runtime to it.
 */
export function padBatch(
  records: readonly { readonly tokenIds: Int32Array; readonly typeIds?: Int32Array; readonly label?: number }[],
  members: readonly number[],
  { paddingId, maxTokens }: { readonly paddingId: number; readonly maxTokens: number },
): PaddedBatch {
  const longest = Math.max(...members.map((position) => records[position]!.tokenIds.length))
  const rows = Math.max(members.length, MIN_ROWS)
  const length = paddedLength(longest, maxTokens)
  const tokenIds = new Int32Array(rows * length).fill(paddingId)
  const typeIds = new Int32Array(rows * length)
  const labels = new Int32Array(rows).fill(NO_LABEL)
  members.forEach((position, row) => {
    const record = records[position]!
    tokenIds.set(record.tokenIds, row * length)
    if (record.typeIds) typeIds.set(record.typeIds, row * length)
    if (record.label !== undefined) labels[row] = record.label
  })
  return {
    tokenIds: { shape: [rows, length], data: tokenIds },
    typeIds: { shape: [rows, length], data: typeIds },
    labels: { shape: [rows], data: labels },
  }
}
