import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../errors.ts'
import type { Accountant } from './accountant.ts'
import type { AccountedEvent } from './event.ts'
import { pld } from './pld.ts'
import { rdp } from './rdp.ts'

const anEvent = fc.record({
  sampleRate: fc.double({ min: -3, max: 0, noNaN: true }).map((x) => 10 ** x),
  noiseMultiplier: fc.double({ min: -0.3, max: 1, noNaN: true }).map((x) => 10 ** x),
  steps: fc.integer({ min: 1, max: 300 }),
})
const aDelta = fc.double({ min: -12, max: -2, noNaN: true }).map((x) => 10 ** x)
const event: AccountedEvent = { sampleRate: 0.02, noiseMultiplier: 0.9, steps: 100 }

/** What every accountant promises; `slack` is how far two computations of the same bound may differ. */
function contract<Account>(accountant: Accountant<Account>, slack: number): void {
  const epsilonOf = (events: readonly AccountedEvent[], delta: number) => accountant.epsilonUpperBound(events, delta)
  const atMost = (small: number, large: number) => expect(small).toBeLessThanOrEqual(large * (1 + slack) + 1e-12)
  const same = (a: number, b: number) => {
    atMost(a, b)
    atMost(b, a)
  }

  describe(`${accountant.name} as an accountant`, () => {
    it('charges nothing for nothing', () => {
      expect(epsilonOf([], 1e-5)).toBe(0)
      expect(accountant.deltaUpperBound([], 1)).toBe(0)
      expect(accountant.epsilon(accountant.init(1e-5))).toBe(0)
    })

    it('charges more for more steps, less noise, more sampling, smaller delta, and another event', () => {
      fc.assert(
        fc.property(
          anEvent,
          anEvent,
          aDelta,
          fc.double({ min: 1.1, max: 3, noNaN: true }),
          (e, other, delta, factor) => {
            const base = epsilonOf([e], delta)
            atMost(base, epsilonOf([{ ...e, steps: Math.ceil(e.steps * factor) }], delta))
            atMost(base, epsilonOf([{ ...e, noiseMultiplier: e.noiseMultiplier / factor }], delta))
            atMost(base, epsilonOf([{ ...e, sampleRate: Math.min(1, e.sampleRate * factor) }], delta))
            atMost(base, epsilonOf([e], delta / factor))
            atMost(base, epsilonOf([e, other], delta))
          },
        ),
        { numRuns: 25 },
      )
    })

    it('sees the multiset of steps: order and grouping do not matter', () => {
      fc.assert(
        fc.property(anEvent, anEvent, aDelta, fc.integer({ min: 1, max: 50 }), (a, b, delta, cut) => {
          const whole = epsilonOf([{ ...a, steps: a.steps + cut }, b], delta)
          const apart = epsilonOf([b, { ...a, steps: cut }, a], delta)
          same(whole, apart)
        }),
        { numRuns: 20 },
      )
    })

    it('inverts: delta at its epsilon is the delta it was asked for', () => {
      fc.assert(
        fc.property(anEvent, aDelta, (e, delta) => {
          const epsilon = epsilonOf([e], delta)
          fc.pre(epsilon > 0)
          const back = accountant.deltaUpperBound([e], epsilon)
          expect(Math.abs(Math.log(back / delta))).toBeLessThan(0.01)
        }),
        { numRuns: 25 },
      )
    })

    it('shows the same for a ledger that grew as for one read at once, and leaves old accounts as they were', () => {
      const rounds = Array.from({ length: 60 }, (_, i) => ({
        ...event,
        noiseMultiplier: 1 + (i % 7) / 10,
        steps: 1 + (i % 10),
      }))
      let account = accountant.init(1e-5)
      const early = accountant.append(account, rounds[0] as AccountedEvent)
      const atFirst = accountant.epsilon(early)
      let last = 0
      rounds.forEach((round, i) => {
        account = accountant.append(account, round)
        const epsilon = accountant.epsilon(account)
        atMost(last, epsilon)
        if (i % 20 === 19) same(epsilon, epsilonOf(rounds.slice(0, i + 1), 1e-5))
        last = epsilon
      })
      expect(accountant.epsilon(early)).toBe(atFirst)
      expect(accountant.epsilon(accountant.init(1e-5))).toBe(0)
    })

    it('refuses what it cannot account for, with a code', () => {
      const refuses = (code: 'CONFIG_INVALID' | 'NOISE_INVALID', bad: Partial<AccountedEvent>, delta = 1e-5) => {
        const calls = [
          () => accountant.epsilonUpperBound([event, { ...event, ...bad }], delta),
          () => accountant.append(accountant.init(delta), { ...event, ...bad }),
        ]
        for (const call of calls) expect(call).toThrowError(expect.objectContaining({ code }))
      }
      for (const noiseMultiplier of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
        refuses('NOISE_INVALID', { noiseMultiplier })
      for (const sampleRate of [0, -0.1, 1.0001, Number.NaN]) refuses('CONFIG_INVALID', { sampleRate })
      for (const steps of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) refuses('CONFIG_INVALID', { steps })
      for (const delta of [0, 1, -1e-5, 1e-300, Number.NaN]) refuses('CONFIG_INVALID', {}, delta)
      for (const epsilon of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => accountant.deltaUpperBound([event], epsilon)).toThrowError(
          expect.objectContaining({ code: 'CONFIG_INVALID' }),
        )
      }
    })

    it('says what was expected, what came and what to do', () => {
      let caught: unknown
      try {
        accountant.epsilonUpperBound([{ ...event, noiseMultiplier: 0 }], 1e-5)
      } catch (error) {
        caught = error
      }
      expect(isFedsvdError(caught, 'NOISE_INVALID') && caught.message).toMatch(
        /^NOISE_INVALID: expected .+, got 0\. .+/,
      )
    })
  })

  describe(`${accountant.name} and the traps seen in the field`, () => {
    it('an accountant made anew each round shows one round only; the account that goes on shows them all', () => {
      const round = { sampleRate: 0.02, noiseMultiplier: 0.8, steps: 10 }
      let account = accountant.init(1e-5)
      for (let i = 0; i < 50; i++) account = accountant.append(account, round)
      const forgetful = accountant.epsilon(accountant.append(accountant.init(1e-5), round))
      expect(accountant.epsilon(account)).toBeGreaterThan(2 * forgetful)
      same(accountant.epsilon(account), epsilonOf([{ ...round, steps: 500 }], 1e-5))
    })

    it('a client is charged for the rounds it took part in, not for those expected of it', () => {
      const paid = (rounds: number) =>
        epsilonOf([{ sampleRate: 1 / 52, noiseMultiplier: 0.718, steps: 10 * rounds }], 1e-5)
      expect(paid(65)).toBeGreaterThan(1.1 * paid(50))
    })

    it('selection of clients is no amplification: nothing in an event but rate, noise and steps changes the answer', () => {
      const selected = { ...event, clientsPerRound: 3, clients: 6, participationRate: 0.5, clipNorm: 2 }
      expect(epsilonOf([selected], 1e-5)).toBe(epsilonOf([event], 1e-5))
    })

    it('sigma is not its square: half the noise is not a quarter of it', () => {
      const at = (noiseMultiplier: number) => epsilonOf([{ sampleRate: 1, noiseMultiplier, steps: 1 }], 1e-6)
      // One Gaussian step depends on sigma as 16 steps of four times the noise do.
      same(at(0.7), epsilonOf([{ sampleRate: 1, noiseMultiplier: 2.8, steps: 16 }], 1e-6))
      expect(at(0.7)).not.toBeCloseTo(at(0.49), 1)
    })
  })
}

contract(rdp, 1e-9)
contract(pld, 2e-4)
