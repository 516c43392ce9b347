import { NO_TARGET } from '@fedsvd/core/model'
import type { RunTensor } from '../runtime/index.ts'
import { paddedLength } from './micro-batches.ts'

/** Where the members of a micro-batch have their targets and what these are: both [rows, places], blank after the last. */
export interface PaddedTargets {
  readonly positions: RunTensor
  readonly targets: RunTensor
  readonly places: number
}

/** `rows` is the number of rows of the batch; the places are a multiple of a vector register, as the lengths are. */
export function padTargets(
  records: readonly { readonly targets: Int32Array }[],
  members: readonly number[],
  rows: number,
): PaddedTargets {
  const chosen = members.map((member) => targetPositions(records[member]!))
  const places = paddedLength(Math.max(1, ...chosen.map((found) => found.length)), Number.POSITIVE_INFINITY)
  const positions = new Int32Array(rows * places).fill(NO_TARGET)
  const targets = new Int32Array(rows * places).fill(NO_TARGET)
  chosen.forEach((found, row) => {
    positions.set(found, row * places)
    const record = records[members[row]!]!
    targets.set(
      found.map((position) => record.targets[position]!),
      row * places,
    )
  })
  const shape = [rows, places]
  return { positions: { shape, data: positions }, targets: { shape, data: targets }, places }
}

/** The tokens of a record that carry a loss, in order. */
export function targetPositions({ targets }: { readonly targets: Int32Array }): readonly number[] {
  return Array.from(targets, (target, position) => (target >= 0 ? position : -1)).filter((position) => position >= 0)
}
