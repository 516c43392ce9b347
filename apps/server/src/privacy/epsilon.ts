import { type AccountedEvent, pld, rdp } from '@fedsvd/core/accounting'
import type { Budget } from '@fedsvd/core/protocol'
import { LRUCache } from 'lru-cache'

export interface EpsilonBounds {
  /** The upper bound that is shown, at this delta; 0 for no events. */
  epsilonUpperBound(events: readonly AccountedEvent[], delta: number): number
  /** True when the events certainly stay within the budget: the fast accountant first, the tight one where that says no. */
  fits(events: readonly AccountedEvent[], budget: Budget): boolean
}

const MOST_REMEMBERED = 10_000

/** Recomputes epsilon from facts with the clients' own code, and remembers what it has computed. */
export function epsilonBounds(): EpsilonBounds {
  const filter = remembering((events, delta) => rdp.epsilonUpperBound(events, delta))
  const tight = remembering((events, delta) => pld.epsilonUpperBound(events, delta))
  return {
    epsilonUpperBound: tight,
    fits: (events, { epsilon, delta }) => filter(events, delta) <= epsilon || tight(events, delta) <= epsilon,
  }
}

type Bound = (events: readonly AccountedEvent[], delta: number) => number

function remembering(bound: Bound): Bound {
  const known = new LRUCache<string, number>({ max: MOST_REMEMBERED })
  return (events, delta) => {
    const key = JSON.stringify([
      delta,
      ...events.map(({ sampleRate, noiseMultiplier, steps }) => [sampleRate, noiseMultiplier, steps]),
    ])
    let epsilon = known.get(key)
    if (epsilon === undefined) {
      epsilon = bound(events, delta)
      known.set(key, epsilon)
    }
    return epsilon
  }
}
