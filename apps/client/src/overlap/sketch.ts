import { createHmac } from 'node:crypto'
import { Spelled } from '@fedsvd/engine/datasets'

/** Shorter cells (labels, numbers, dates) are alike in data sets that share no one. */
const LEAST_CELL_LENGTH = 16
/**
 * So many digests are kept: with fewer cells the comparison is exact, with more it is a sample drawn by the digests
 * themselves.
 */
const MOST_DIGESTS = 2 ** 18
/** A cell that stands in more rows than this, and than a hundredth of them, is boilerplate. */
const FEW_ROWS = 3

/**
 * Keyed digests of what the rows of a data set hold: the smallest ones, ascending. Without the key they tell nothing.
 */
export interface Sketch {
  readonly rows: number
  readonly digests: readonly number[]
  /** Digests above it were dropped; infinite where none were. */
  readonly limit: number
}

/**
 * Digests a data set row by row, in bounded memory: each row as a whole, and each of its longer cells, in whichever
 * column it stands. A text is taken without what formats change: leading and trailing white space, runs of it, letter
 * case, and how Unicode composes letters.
 */
export class Sketcher {
  readonly #key: Uint8Array
  readonly #most: number
  readonly #rows = new Set<number>()
  readonly #cells = new Map<number, number>()
  #limit = Number.POSITIVE_INFINITY
  #count = 0

  constructor(key: Uint8Array, most = MOST_DIGESTS) {
    this.#key = key
    this.#most = most
  }

  /** @param row a row as its file holds it: any JSON value */
  add(row: unknown): void {
    this.#count += 1
    const cells = [...new Set(textsIn(row).map(normalised))]
    const whole = this.#digest('row', cells.toSorted().join('\u0000'))
    if (whole <= this.#limit) this.#rows.add(whole)
    for (const cell of cells.filter(({ length }) => length >= LEAST_CELL_LENGTH)) {
      const digest = this.#digest('cell', cell)
      if (digest <= this.#limit) this.#cells.set(digest, (this.#cells.get(digest) ?? 0) + 1)
    }
    if (this.#rows.size + this.#cells.size > 2 * this.#most) this.#dropLargest()
  }

  finish(): Sketch {
    if (this.#rows.size + this.#cells.size > this.#most) this.#dropLargest()
    const most = Math.max(FEW_ROWS, this.#count / 100)
    const cells = [...this.#cells].filter(([, count]) => count <= most).map(([digest]) => digest)
    const digests = [...this.#rows, ...cells].sort((left, right) => left - right)
    return { rows: this.#count, digests, limit: this.#limit }
  }

  /** 52 bits of HMAC-SHA-256. */
  #digest(kind: string, text: string): number {
    const bytes = createHmac('sha256', this.#key).update(`${kind}:${text}`).digest()
    return bytes.readUIntBE(0, 6) * 16 + (bytes[6]! >> 4)
  }

  /** What is dropped is never needed again: the limit only falls. */
  #dropLargest(): void {
    const all = [...this.#rows, ...this.#cells.keys()].sort((left, right) => left - right)
    this.#limit = all[this.#most - 1]!
    for (const digest of this.#rows) if (digest > this.#limit) this.#rows.delete(digest)
    for (const digest of this.#cells.keys()) if (digest > this.#limit) this.#cells.delete(digest)
  }
}

/** Share of the smaller of two data sets that the other holds as well, from 0 to 1; 0 where one is empty. */
export function overlapOf(one: Sketch, other: Sketch): number {
  const limit = Math.min(one.limit, other.limit)
  const left = new Set(one.digests.filter((digest) => digest <= limit))
  const right = other.digests.filter((digest) => digest <= limit)
  const smaller = Math.min(left.size, right.length)
  return smaller === 0 ? 0 : right.filter((digest) => left.has(digest)).length / smaller
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return [String(value)]
  if (value instanceof Spelled) return value.text === undefined ? [] : [value.text]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(textsIn)
}

function normalised(text: string): string {
  return text.normalize('NFC').trim().replace(/\s+/gu, ' ').toLowerCase()
}
