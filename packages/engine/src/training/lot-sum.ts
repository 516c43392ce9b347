import { setImmediate } from 'node:timers/promises'
import { beginClippedSum, type ClippedSum, type ClipTerms } from '@fedsvd/core/privacy'
import type { EncodedRecord } from '../datasets/index.ts'
import { type GradientSource, gradientsOf, type LotSumOptions, recordAt } from './gradient-source.ts'
import { type Lot, shortestFirst } from './lots/index.ts'
import type { BatchShape } from './micro-batches.ts'
import { sumOfUnits } from './unit-sum.ts'

/**
 * The clipped integer sum over a lot, a micro-batch at a time. Records of like length stand together, so that short
 * texts do not pay for long ones; the shape in which a record is computed is its own. A record that the model cannot
 * take is left out of the sum, and counted there. An empty lot gives zeros.
 *
 * Memory: the records of one micro-batch for each number of places that records of one length have, the sum, and 12
 * bytes for each member of the lot (its position, its length and its place in the order of lengths).
 *
 * @throws the signal's reason when it aborts, FedsvdError NOISE_INVALID for a clipNorm out of range; nothing about a
 *   record
 */
export async function sumOfLot<R extends EncodedRecord>(
  lot: Lot,
  terms: ClipTerms,
  source: GradientSource<R>,
  options: LotSumOptions = {},
): Promise<ClippedSum> {
  const { records, members } = lot
  const { onPart = () => {} } = options
  if (records.units !== undefined) return await sumOfUnits(lot, records.units, terms, source, options)
  const sum = beginClippedSum(terms, setImmediate)
  let waiting: { readonly shape: BatchShape; readonly records: R[] }[] = []
  let done = 0
  const compute = async (batch: (typeof waiting)[number]): Promise<void> => {
    for await (const gradient of gradientsOf(source, batch.records, batch.shape, options)) {
      if (gradient === undefined) sum.leaveOut()
      else await sum.addInPieces(gradient)
    }
    done += batch.records.length
    onPart(done)
  }
  for (const at of shortestFirst(records.lengthsOf(members))) {
    const record = recordAt({ records, source, ...options }, members[at]!)
    if (record === undefined) {
      sum.leaveOut()
      done += 1
      continue
    }
    const shape = source.shapeOf(record)
    if (waiting.some((batch) => batch.shape.length !== shape.length)) {
      for (const batch of waiting) await compute(batch)
      waiting = []
    }
    const found = waiting.find((batch) => batch.shape.targets === shape.targets)
    const batch = found ?? { shape, records: [] }
    if (found === undefined) waiting.push(batch)
    batch.records.push(record)
    if (batch.records.length < shape.rows) continue
    waiting = waiting.filter((other) => other !== batch)
    await compute(batch)
  }
  for (const batch of waiting) await compute(batch)
  return sum.finish()
}
