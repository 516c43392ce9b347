import { setImmediate } from 'node:timers/promises'
import {
  type AccountedEvent,
  closedFormEpsilon,
  type FilterRule,
  filterOf,
  pld,
  rdp,
  scheduleRule,
} from '@fedsvd/core/accounting'
import { LIMITS, type Range } from '@fedsvd/core/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AccountingThread, accountingThread, type Question } from './accounting/index.ts'
import { epsilonBounds } from './epsilon.ts'

const EVENT: AccountedEvent = { sampleRate: 0.1, noiseMultiplier: 2, steps: 30 }
/** The rule of a run that repeats the event. */
const OWN = scheduleRule(EVENT)
const bounds = epsilonBounds()

/** A thread that never answers in time. */
const silent: AccountingThread = { ask: async () => undefined }

describe('epsilon away from the event loop', () => {
  it('is what the accountants say', async () => {
    expect(await bounds.epsilonUpperBound([EVENT], 1e-5)).toEqual({
      epsilon: pld.epsilonUpperBound([EVENT], 1e-5),
      by: 'pld',
    })
    expect(await bounds.renyi([EVENT], 1e-5)).toEqual({ epsilon: rdp.epsilonUpperBound([EVENT], 1e-5), by: 'rdp' })
    const epsilon = pld.epsilonUpperBound([EVENT], 1e-5)
    expect(await bounds.fits([EVENT], { epsilon, delta: 1e-5 }, OWN)).toBe(true)
    expect(await bounds.fits([EVENT], { epsilon: epsilon * 0.99, delta: 1e-5 }, OWN)).toBe(false)
    expect(await bounds.epsilonUpperBound([], 1e-5)).toEqual({ epsilon: 0, by: 'pld' })
  })

  it('is held against a budget by the filter of the rule', async () => {
    const other: AccountedEvent = { sampleRate: 0.02, noiseMultiplier: 3, steps: 10 }
    const rules: readonly FilterRule[] = [OWN, { kind: 'renyi', order: 5 }, { kind: 'gaussian' }]
    for (const rule of rules) {
      for (const events of [[EVENT], [EVENT, other]]) {
        const needed = filterOf(rule).epsilonUpperBound(events, 1e-5)
        const fits = (epsilon: number) => bounds.fits(events, { epsilon, delta: 1e-5 }, rule)
        const isCovered = Number.isFinite(needed)
        expect(await fits(isCovered ? needed * 1.001 : 1000)).toBe(isCovered)
        expect(await fits(isCovered ? needed * 0.99 : 1)).toBe(false)
      }
    }
    expect(await epsilonBounds(silent).fits([EVENT], { epsilon: 1000, delta: 1e-5 }, rules[1]!)).toBe(false)
  })

  it('is bounded at once where there is no answer in time, and then nothing fits that is not certain', async () => {
    const late = epsilonBounds(silent)
    const epsilon = closedFormEpsilon([EVENT], 1e-5)
    expect(await late.epsilonUpperBound([EVENT], 1e-5)).toEqual({ epsilon, by: 'closed-form' })
    expect(await late.fits([EVENT], { epsilon, delta: 1e-5 }, OWN)).toBe(true)
    expect(await late.fits([EVENT], { epsilon: epsilon * 0.99, delta: 1e-5 }, OWN)).toBe(false)
  })

  it.each([
    [{ ...EVENT, noiseMultiplier: 1e-300 }],
    [{ ...EVENT, noiseMultiplier: 1e300 }],
    [{ ...EVENT, sampleRate: 0 }],
    [{ ...EVENT, steps: -1 }],
    [{ ...EVENT, noiseMultiplier: Number.NaN }],
  ])('never asks the accountants about what no run can hold: %j', async (event) => {
    const asked: Question[] = []
    const watched = epsilonBounds({
      ask: async (question) => {
        asked.push(question)
        return 0
      },
    })
    const { by } = await watched.epsilonUpperBound([EVENT, event], 1e-5)
    expect(by).toBe('closed-form')
    for (const rule of [OWN, { kind: 'renyi', order: 4 }, { kind: 'gaussian' }] as const) {
      expect(await watched.fits([EVENT, event], { epsilon: 1e-3, delta: 1e-5 }, rule)).toBe(false)
    }
    const first = { ...event, granted: { epsilon: 1, delta: 1e-5 } }
    expect(await watched.ruleFor({ spent: [EVENT, event], first, budget: first.granted })).toBeUndefined()
    expect(asked).toEqual([])
  })

  it('asks each question once', async () => {
    let asked = 0
    const counted = epsilonBounds({
      ask: async () => {
        asked += 1
        return 1
      },
    })
    await Promise.all([counted.renyi([EVENT], 1e-5), counted.renyi([EVENT], 1e-5)])
    await counted.renyi([EVENT], 1e-5)
    expect(asked).toBe(1)
  })

  it('asks again where there was no answer in time, but not at once', async () => {
    let asked = 0
    const late = (noAnswerMs?: number) => {
      asked = 0
      const ask = async () => (++asked === 1 ? undefined : 0.5)
      const answers = epsilonBounds({ ask }, { noAnswerMs })
      return async () => (await answers.renyi([EVENT], 1e-5)).by
    }
    const patient = late()
    expect([await patient(), await patient(), asked]).toEqual(['closed-form', 'closed-form', 1])
    const hasty = late(1)
    expect(await hasty()).toBe('closed-form')
    while ((await hasty()) !== 'rdp') await setImmediate()
    expect(asked).toBe(2)
  })

  it('is answered over the whole range of the protocol, within the limit of the thread', {
    timeout: 300_000,
  }, async () => {
    const within = ({ least, most }: Range) =>
      fc.double({ min: Math.log(Math.max(least, 1e-100)), max: Math.log(most), noNaN: true }).map((log) => {
        return Math.min(most, Math.max(least, Math.exp(log)))
      })
    const event = fc.record({
      sampleRate: within(LIMITS.sampleRate),
      noiseMultiplier: within(LIMITS.noiseMultiplier),
      steps: within(LIMITS.stepsInAll).map(Math.ceil),
    })
    const events = fc.array(event, { minLength: 1, maxLength: 2 })
    await fc.assert(
      fc.asyncProperty(events, within(LIMITS.delta), async (list, delta) => {
        const { epsilon, by } = await bounds.epsilonUpperBound(list, delta)
        expect(epsilon).toBeGreaterThanOrEqual(0)
        expect(epsilon).toBeLessThanOrEqual(closedFormEpsilon(list, delta) * (1 + 1e-3))
        if (by === 'closed-form') expect((await bounds.renyi(list, delta)).by).toBe('closed-form')
      }),
      { numRuns: 8, seed: 11 },
    )
  })
})

describe('the accounting thread', () => {
  const bound = (question: Partial<Question & { kind: 'bound' }> = {}): Question => {
    return { kind: 'bound', by: 'rdp', events: [EVENT], delta: 1e-5, ...question }
  }

  it('gives up on a question that takes too long, and answers the next one', async () => {
    const thread = accountingThread({ limitMs: 1, mostWaiting: 10 })
    const slow = bound({ by: 'pld', events: [{ sampleRate: 1e-10, noiseMultiplier: 0.01, steps: 1 }] })
    expect(await thread.ask(slow, 'urgent')).toBeUndefined()
    const patient = accountingThread()
    expect(await patient.ask(bound(), 'shown')).toBe(rdp.epsilonUpperBound([EVENT], 1e-5))
  })

  it('answers what a round waits for before what is only shown, and takes no more than may wait', async () => {
    const thread = accountingThread({ limitMs: 60_000, mostWaiting: 3 })
    const order: string[] = []
    const ask = async (name: string, urgency: 'urgent' | 'shown') => {
      const value = await thread.ask(bound(), urgency)
      order.push(value === undefined ? `${name} not at all` : name)
    }
    await Promise.all([
      ask('first', 'shown'),
      ask('shown', 'shown'),
      ask('urgent', 'urgent'),
      ask('another', 'shown'),
      ask('too many', 'urgent'),
    ])
    expect(order).toEqual(['too many not at all', 'first', 'urgent', 'shown', 'another'])
  })

  it('hands on the refusal of an accountant', async () => {
    const question = bound({ events: [{ ...EVENT, steps: 0.5 }] })
    await expect(accountingThread().ask(question, 'urgent')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
