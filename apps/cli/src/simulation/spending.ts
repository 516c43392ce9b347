import { type AccountedEvent, pld, rdp } from '@fedsvd/core/accounting'
import type { PrivacyTerms } from '@fedsvd/core/protocol'

/** Answers about one mechanism are asked for again in every cell. */
const known = new Map<string, number>()

/** What the sites of a cell have spent, round by round. */
export class Spending {
  readonly #terms = new Map<number, PrivacyTerms>()
  /** Steps that a site made in each round. */
  readonly #steps = new Map<number, number[]>()

  agreed(site: number, terms: PrivacyTerms): void {
    this.#terms.set(site, terms)
    this.#steps.set(site, [])
  }

  step(site: number, round: number): void {
    const steps = this.#steps.get(site)
    if (steps !== undefined) steps[round] = (steps[round] ?? 0) + 1
  }

  /**
   * Upper bound on epsilon, by PLD, of the site that has spent most up to a round, which is decided by the faster Renyi
   * accountant; 0 where nothing was spent.
   */
  most(round: number, delta: number): number {
    const events = new Map<string, AccountedEvent>()
    for (const [site, { sampleRate, noiseMultiplier }] of this.#terms) {
      const steps = this.#stepsUpTo(site, round)
      if (steps > 0) events.set(`${sampleRate} ${noiseMultiplier} ${steps}`, { sampleRate, noiseMultiplier, steps })
    }
    const ranked = [...events.values()].sort(
      (left, right) => epsilonBy(rdp, right, delta) - epsilonBy(rdp, left, delta),
    )
    return ranked[0] === undefined ? 0 : epsilonBy(pld, ranked[0], delta)
  }

  #stepsUpTo(site: number, round: number): number {
    let sum = 0
    for (let before = 0; before <= round; before += 1) sum += this.#steps.get(site)?.[before] ?? 0
    return sum
  }
}

function epsilonBy(accountant: typeof pld | typeof rdp, event: AccountedEvent, delta: number): number {
  const key = JSON.stringify([accountant.name, event, delta])
  const epsilon = known.get(key) ?? accountant.epsilonUpperBound([event], delta)
  known.set(key, epsilon)
  return epsilon
}
