import { setImmediate } from 'node:timers/promises'
import { beginClippedSum, type ClippedSum, type ClipTerms, Pieces } from '@fedsvd/core/privacy'
import { sizeOf } from '@fedsvd/core/tensor'
import type { EncodedRecord, Units } from '../datasets/index.ts'
import { type GradientSource, gradientsOf, type LotSumOptions, recordAt } from './gradient-source.ts'
import type { Lot } from './lots/index.ts'
import type { BatchShape } from './micro-batches.ts'

/** Most bytes of gradients that are being added up at once, unless a single unit has more. */
const MAX_SUM_BYTES = 64 * 2 ** 20

/** Most records of which the tokens are held at once, unless a single unit has more. */
const MAX_RECORDS = 4096

/** A unit's gradients so far; undefined once one of its records could not be taken or computed. */
interface UnitGradient {
  readonly records: number
  sum: readonly Float64Array[] | undefined
}

interface Member<R> {
  readonly unit: UnitGradient
  readonly record: R
  readonly shape: BatchShape
}

/**
 * {@link sumOfLot} where a unit of privacy is more than one record: the members of the lot are units. The gradients of
 * a unit's records are summed, or averaged, in float64; the unit's vector is clipped, rounded and held against the
 * bound as one.
 *
 * A unit's integers are a function of its own records: each gradient is computed in its record's own shape, and a
 * unit's gradients are added in the order of those shapes and then of their positions, whatever other units are in the
 * lot. A unit with a record that the model cannot take, or whose gradient is not finite, contributes zeros and is
 * counted as left out.
 *
 * Memory: 64 MiB of sums of units, the tokens of 4096 records and one micro-batch; more only where one unit has more.
 *
 * @throws as `sumOfLot`: nothing about a record
 */
export async function sumOfUnits<R extends EncodedRecord>(
  { records, members, combine = 'mean' }: Lot,
  units: Units,
  terms: ClipTerms,
  source: GradientSource<R>,
  options: LotSumOptions = {},
): Promise<ClippedSum> {
  const { signal, onPart = () => {} } = options
  const sum = beginClippedSum(terms, setImmediate)
  const pieces = new Pieces(setImmediate, 'arithmetic')
  const sizes = terms.specs.map(({ shape }) => sizeOf(shape))
  const bytes = 8 * sizes.reduce((total, size) => total + size, 0)
  const mostUnits = Math.max(1, Math.floor(MAX_SUM_BYTES / bytes))
  let done = 0

  const addUnits = async (group: readonly UnitGradient[], waiting: Member<R>[]): Promise<void> => {
    for (const batch of batchesOf(waiting)) {
      const records = batch.map(({ record }) => record)
      let row = 0
      for await (const gradient of gradientsOf(source, records, batch[0]!.shape, options)) {
        const { unit } = batch[row++]!
        if (gradient === undefined) unit.sum = undefined
        else await addTo(unit.sum, gradient, pieces)
      }
    }
    for (const { sum: gradient, records: count } of group) {
      if (gradient === undefined) {
        sum.leaveOut()
        continue
      }
      if (combine === 'mean') await divide(gradient, count, pieces)
      await sum.addInPieces(gradient)
    }
    done += group.length
    onPart(done)
  }

  let group: UnitGradient[] = []
  let waiting: Member<R>[] = []
  for (const member of members) {
    const positions = units.recordsOf(member)
    if (group.length === mostUnits || waiting.length + positions.length > MAX_RECORDS) {
      await addUnits(group, waiting)
      ;[group, waiting] = [[], []]
    }
    const unit: UnitGradient = { records: positions.length, sum: sizes.map((size) => new Float64Array(size)) }
    group.push(unit)
    for (const position of positions) {
      const record = recordAt({ records, source, ...options }, position)
      if (record === undefined) unit.sum = undefined
      else waiting.push({ unit, record, shape: source.shapeOf(record) })
    }
  }
  if (group.length > 0) await addUnits(group, waiting)
  signal?.throwIfAborted()
  return sum.finish()
}

/** Micro-batches of one shape each, in the order of the shapes; members of one shape in their order. */
function* batchesOf<R>(members: readonly Member<R>[]): Generator<readonly Member<R>[]> {
  const sorted = members.toSorted(
    ({ shape: a }, { shape: b }) => a.length - b.length || a.targets - b.targets || a.rows - b.rows,
  )
  let batch: Member<R>[] = []
  for (const member of sorted) {
    const { shape } = member
    const other = batch[0]?.shape
    const fits = other === undefined || (other.length === shape.length && other.targets === shape.targets)
    if (!fits || batch.length === shape.rows) {
      yield batch
      batch = []
    }
    batch.push(member)
  }
  if (batch.length > 0) yield batch
}

async function addTo(
  sum: readonly Float64Array[] | undefined,
  gradient: readonly ArrayLike<number>[],
  pieces: Pieces,
): Promise<void> {
  for (const [t, part] of (sum ?? []).entries()) {
    const more = gradient[t]!
    await pieces.each(part.length, (begin, end) => {
      for (let i = begin; i < end; i++) part[i]! += more[i]!
    })
  }
}

async function divide(sum: readonly Float64Array[], by: number, pieces: Pieces): Promise<void> {
  for (const part of sum) {
    await pieces.each(part.length, (begin, end) => {
      for (let i = begin; i < end; i++) part[i]! /= by
    })
  }
}
