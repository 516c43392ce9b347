/** The limits of one run of the training graph. */
export interface MicroBatchLimits {
  readonly maxRecords: number
  /** Most places (records times the longest record), unless a single record is longer. */
  readonly maxPlaces: number
}

/**
 * Cuts a lot into micro-batches of similar lengths, so that short records are not padded to the length of long ones.
 *
 * Returns positions in `lengths`; every position is in exactly one micro-batch, whose last member is its longest. The
 * result depends on the lengths and their order only.
 */
export function microBatches(lengths: readonly number[], limits: MicroBatchLimits): readonly (readonly number[])[] {
  const ascending = lengths.map((_, position) => position).sort((a, b) => lengths[a]! - lengths[b]! || a - b)
  const batches: number[][] = []
  let current: number[] = []
  for (const position of ascending) {
    const places = (current.length + 1) * lengths[position]!
    if (current.length > 0 && (current.length === limits.maxRecords || places > limits.maxPlaces)) {
      batches.push(current)
      current = []
    }
    current.push(position)
  }
  return current.length > 0 ? [...batches, current] : batches
}

/** Row-major [members, longest member] token ids, filled up with `paddingId`. */
export function padTokens(
  records: readonly { readonly tokenIds: Int32Array }[],
  members: readonly number[],
  paddingId: number,
): { readonly shape: readonly [number, number]; readonly data: Int32Array } {
  const width = Math.max(...members.map((position) => records[position]!.tokenIds.length))
  const data = new Int32Array(members.length * width).fill(paddingId)
  members.forEach((position, row) => {
    data.set(records[position]!.tokenIds, row * width)
  })
  return { shape: [members.length, width], data }
}
