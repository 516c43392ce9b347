import type { FedsvdError } from '@fedsvd/core/errors'
import { reasonOf } from './place.ts'

/** What was left out of a data set, for the site's own operator. Private, like everything about the records. */
export interface LeftOut {
  readonly count: number
  /** Why the first of them was. */
  readonly first: FedsvdError | undefined
  /** What was expected in vain, by how often, the most frequent first; without places. */
  readonly reasons: readonly { readonly reason: string; readonly count: number }[]
}

/** Kinds of faults that are told apart; the rest is counted together. */
const MOST_REASONS = 20
const OTHERS = 'other faults'

/** Counts what is left out, by its reason, and keeps why the first was. */
export class LeftOutCount implements LeftOut {
  count = 0
  first: FedsvdError | undefined
  readonly #reasons = new Map<string, number>()

  get reasons(): LeftOut['reasons'] {
    const reasons = [...this.#reasons].map(([reason, count]) => ({ reason, count }))
    return reasons.sort((one, other) => other.count - one.count)
  }

  add(fault: FedsvdError): void {
    this.count += 1
    this.first ??= fault
    const reason = reasonOf(fault)
    const key = this.#reasons.has(reason) || this.#reasons.size < MOST_REASONS ? reason : OTHERS
    this.#reasons.set(key, (this.#reasons.get(key) ?? 0) + 1)
  }
}
