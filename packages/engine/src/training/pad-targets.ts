import { NO_TARGET } from '@fedsvd/core/models'
import type { RunTensor } from '../runtime/index.ts'
import type { BatchShape } from './micro-batches.ts'

/** Where records have their targets and what these are: both [rows, targets], blank after the last. */
export function padTargets(
  records: readonly { readonly targets: Int32Array }[],
  { rows, targets: places }: Pick<BatchShape, 'rows' | 'targets'>,
): { readonly positions: RunTensor; readonly targets: RunTensor } {
  const positions = new Int32Array(rows * places).fill(NO_TARGET)
  const targets = new Int32Array(rows * places).fill(NO_TARGET)
  for (const [row, record] of records.entries()) {
    const found = targetPositions(record)
    positions.set(found, row * places)
    targets.set(
      found.map((position) => record.targets[position]!),
      row * places,
    )
  }
  const shape = [rows, places]
  return { positions: { shape, data: positions }, targets: { shape, data: targets } }
}

/** The tokens of a record that carry a loss, in order. */
export function targetPositions({ targets }: { readonly targets: Int32Array }): readonly number[] {
  return Array.from(targets, (target, position) => (target >= 0 ? position : -1)).filter((position) => position >= 0)
}
