import type { FedsvdError } from '@fedsvd/core/errors'
import { type Place, unreadable } from './place.ts'

/**
 * Told of bytes that are no text; gives what stands in their place, or throws to end the reading. What it gives has to
 * be text that no file holds, as {@link BAD_TEXT_MARK} is.
 */
export type OnBadText = (fault: FedsvdError) => string

const [BEGIN, END] = ['\ufffe\ufdd0', '\uffff']

/** What may stand in place of bytes that are no text: noncharacters, which no text has beside each other. */
export const BAD_TEXT_MARK = `${BEGIN}0${END}`
const MARK = new RegExp(`${BEGIN}(\\d+)${END}`)

/** So many faults are kept until their row comes; those of rows that are faulty otherwise are never asked for. */
const MOST_FAULTS = 100_000

/** Ends the reading. */
export const refuseBadText: OnBadText = (fault) => {
  throw fault
}

interface Held {
  readonly value: unknown
  readonly place: Place
  readonly fault?: FedsvdError
}

/** Keeps the faults of bytes that were no text until the rows come in which they stand, which are no records then. */
export class BadText {
  readonly #faults = new Map<number, FedsvdError>()
  #last = 0

  /** To be told of the faults. */
  readonly note: OnBadText = (fault) => {
    this.#last += 1
    this.#faults.set(this.#last, fault)
    if (this.#faults.size > MOST_FAULTS) this.#faults.delete(this.#faults.keys().next().value!)
    return `${BEGIN}${this.#last}${END}`
  }

  /** The row, with its fault where some of it was no text. */
  held<Row extends Held>(row: Row): Row {
    const first = this.#last === 0 || row.fault !== undefined ? undefined : firstMarkIn(row.value)
    if (first === undefined) return row
    const fault = this.#faults.get(first) ?? unreadable(row.place, 'text', 'other bytes')
    for (const known of this.#faults.keys()) {
      if (known > first) break
      this.#faults.delete(known) // of rows before this one
    }
    return { ...row, fault }
  }
}

function firstMarkIn(value: unknown): number | undefined {
  if (typeof value === 'string') {
    const [, found] = (value.includes(BEGIN) && MARK.exec(value)) || []
    return found === undefined ? undefined : Number(found)
  }
  if (typeof value !== 'object' || value === null) return undefined
  for (const part of Object.values(value)) {
    const found = firstMarkIn(part)
    if (found !== undefined) return found
  }
  return undefined
}
