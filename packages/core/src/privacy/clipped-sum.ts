import { FedsvdError } from '../errors.ts'
import { sizeOf, squaredNorm, type TensorSpec } from '../tensor/index.ts'
import { type GradientPart, gridFactor, requireClipNorm, roundTo } from './clip.ts'
import { GRID_BITS, squaredBound } from './sensitivity.ts'
import { NO_TURN, Pieces, type Turn } from './turns.ts'

/** What the bound of a sum follows from; the same at the mechanism, or the sum is refused. */
export interface ClipTerms {
  /** The trained tensors, in their order. */
  readonly specs: readonly TensorSpec[]
  readonly clipNorm: number
}

/**
 * The integer sum of a lot's clipped gradients, each of them held against the bound that the noise is scaled to.
 *
 * Only {@link beginClippedSum} makes one, and the mechanism takes nothing else: the class has a private field, so
 * arrays of numbers do not have this type, and {@link gridSumOf} finds out a cast. All of it is private: for the
 * mechanism alone.
 */
class ClippedSum {
  readonly #sums: readonly Float64Array[]
  readonly terms: ClipTerms
  /** Records in the sum, those left out included. */
  readonly records: number
  /** Records that contribute zeros: malformed, not finite, or outside the bound. For the site's own eyes. */
  readonly leftOut: number
  /** Records at or below the clip norm less all others. Every record casts one vote. */
  readonly votes: number

  constructor(
    sums: readonly Float64Array[],
    terms: ClipTerms,
    counts: { readonly records: number; readonly leftOut: number; readonly votes: number },
  ) {
    this.#sums = sums
    this.terms = terms
    this.records = counts.records
    this.leftOut = counts.leftOut
    this.votes = counts.votes
    Object.freeze(this)
  }

  /** Copies of the sums in grid units, one for each trained tensor. */
  get gridSum(): readonly Float64Array[] {
    return this.#sums.map((sum) => sum.slice())
  }

  static sumsOf(candidate: unknown): readonly Float64Array[] | undefined {
    return candidate instanceof ClippedSum && #sums in candidate ? candidate.#sums : undefined
  }
}

export type { ClippedSum }

/** Adds up the records of one lot, one by one, in memory that does not grow with their number. */
export interface ClippedSumBuilder {
  /**
   * Adds one record: its gradient over all trained tensors, in their order, row-major. It is clipped to the flat norm
   * clipNorm and rounded to the grid; where the integers are outside the bound or not finite it contributes zeros and
   * is counted as left out. It casts one vote, against the clip norm unless its norm is a number at or below it.
   *
   * Nothing about the values throws. SHAPE_MISMATCH for parts of other sizes, STEP_ORDER after `finish` and while a
   * record is being added in pieces.
   */
  add(gradient: readonly GradientPart[]): void
  /** {@link add} with turns in between, where a sum was given one; the same integers. One record at a time. */
  addInPieces(gradient: readonly GradientPart[]): Promise<void>
  /** {@link add} for a gradient that is zero but for `values`, from `offset` on in tensor `tensor`. */
  addWindow(tensor: number, offset: number, values: GradientPart): void
  /** A record without a gradient, such as one that the model cannot read: zeros, and a vote against the clip norm. */
  leaveOut(): void
  /** The sum, once. */
  finish(): ClippedSum
}

/**
 * Begins the sum of one lot.
 *
 * @param turn taken between pieces of records that are added in pieces
 * @throws FedsvdError NOISE_INVALID for a clipNorm out of range, SHAPE_MISMATCH without specs
 */
export function beginClippedSum({ specs, clipNorm }: ClipTerms, turn: Turn = NO_TURN): ClippedSumBuilder {
  requireClipNorm(clipNorm)
  const sizes = specs.map(({ shape }) => sizeOf(shape))
  const dimension = sizes.reduce((sum, size) => sum + size, 0)
  if (dimension === 0) throw sizesDiffer(['at least one'], [0])
  const most = squaredBound({ dimension, gridBits: GRID_BITS })
  const sums = sizes.map((size) => new Float64Array(size))
  let scratch: Float64Array | undefined
  const pieces = new Pieces(turn, 'arithmetic')
  let [records, leftOut, votes] = [0, 0, 0]
  let stage: 'open' | 'adding' | 'finished' = 'open'

  /** The addition of a record, in pieces that are to be done in their order. */
  function* contribute(parts: readonly GradientPart[], into: readonly Float64Array[]): Generator<Piece> {
    records += 1
    let squaredLength = 0 // in float64; NaN and infinity propagate
    for (const part of parts) {
      const addSquares = (): void => {
        squaredLength += squaredNorm(part)
      }
      yield [part.length, addSquares]
    }
    const norm = Math.sqrt(squaredLength)
    votes += norm <= clipNorm ? 1 : -1
    const factor = gridFactor(norm, clipNorm)
    scratch ??= new Float64Array(dimension)
    const integers = scratch
    let [squares, end] = [0, 0]
    for (const part of parts) {
      for (const [from, to] of pieces.of(part.length)) {
        const start = end + from
        const round = (): void => {
          squares += roundTo(integers, start, part.subarray(from, to), factor)
        }
        yield [to - from, round]
      }
      end += part.length
    }
    if (!(squares <= most)) {
      leftOut += 1
      return
    }
    let start = 0
    for (const sum of into) {
      for (const [from, to] of pieces.of(sum.length)) {
        const first = start + from
        yield [to - from, () => addIntegers(sum.subarray(from, to), integers, first)]
      }
      start += sum.length
    }
  }
  const requireOpen = (): void => {
    if (stage !== 'open') throw closed(stage)
  }
  const requireSizes = (gradient: readonly GradientPart[]): void => {
    if (gradient.length === sizes.length && sizes.every((size, t) => gradient[t]!.length === size)) return
    const got = gradient.map(({ length }) => length)
    throw sizesDiffer(sizes, got)
  }
  return {
    add(gradient) {
      requireOpen()
      requireSizes(gradient)
      allAtOnce(contribute(gradient, sums))
    },
    async addInPieces(gradient) {
      requireOpen()
      requireSizes(gradient)
      stage = 'adding' // it stays so if a turn throws: a sum with half a record is never used
      for (const [entries, work] of contribute(gradient, sums)) {
        await pieces.before(entries)
        work()
      }
      stage = 'open'
    },
    addWindow(tensor, offset, values) {
      requireOpen()
      const window = sums[tensor]?.subarray(offset, offset + values.length)
      if (window?.length !== values.length) throw sizesDiffer(sizes, [offset + values.length])
      allAtOnce(contribute([values], [window]))
    },
    leaveOut() {
      requireOpen()
      records += 1
      leftOut += 1
      votes -= 1
    },
    finish() {
      requireOpen()
      stage = 'finished'
      scratch = undefined
      return new ClippedSum(sums, { specs, clipNorm }, { records, leftOut, votes })
    },
  }
}

/**
 * The sums of one that {@link beginClippedSum} made on these very terms. For the mechanism alone: this is not exported
 * from the folder.
 *
 * @throws FedsvdError NOISE_INVALID for anything else: another clip norm or other tensors mean another bound
 */
export function gridSumOf(candidate: ClippedSum, { specs, clipNorm }: ClipTerms): readonly Float64Array[] {
  const sums = ClippedSum.sumsOf(candidate)
  const same =
    sums !== undefined &&
    candidate.terms.clipNorm === clipNorm &&
    JSON.stringify(candidate.terms.specs.map(placed)) === JSON.stringify(specs.map(placed))
  if (same) return sums
  throw new FedsvdError('NOISE_INVALID', {
    expected: 'the clipped sum of a lot, on the terms of this round',
    got:
      sums === undefined ? 'a value that beginClippedSum did not make' : 'a sum of other tensors or another clip norm',
    remedy:
      'Add the gradients with beginClippedSum, with the clipNorm and the tensors of the round; nothing was released.',
  })
}

function placed({ name, shape }: TensorSpec): readonly (string | number)[] {
  return [name, ...shape]
}

function sizesDiffer(expected: readonly unknown[], got: readonly number[]): FedsvdError {
  return new FedsvdError('SHAPE_MISMATCH', {
    expected: `one gradient per trained tensor, of ${expected.join(', ')} values`,
    got: got.join(', ') || 'none',
    remedy: 'Add the gradients of every trained tensor, in the order of the trained specs.',
  })
}

/**
 * A part of the work on a record, and how many entries it is over. It is not done in the generator itself: there V8
 * makes loops slower by a quarter.
 */
type Piece = readonly [entries: number, work: () => void]

/** Adds the integers from `start` on to a sum, or to a part of one. */
function addIntegers(sum: Float64Array, integers: Float64Array, start: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += integers[start + i]!
}

function allAtOnce(pieces: Generator<Piece>): void {
  for (const [, work] of pieces) work()
}

function closed(stage: 'adding' | 'finished'): FedsvdError {
  return new FedsvdError('STEP_ORDER', {
    expected: 'records first, then finish once',
    got: stage === 'finished' ? 'a call after finish' : 'a call while a record was being added',
    remedy: 'Begin another sum for another lot.',
  })
}
