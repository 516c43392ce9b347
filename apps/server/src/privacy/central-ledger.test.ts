import { eventOfClientLevelRound, pld } from '@fedsvd/core/accounting'
import type { ClientLevel } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../storage/records/memory/index.ts'
import { CentralLedger, type Draw } from './central-ledger.ts'
import { epsilonBounds } from './epsilon.ts'

const RUN = '11111111-1111-4111-8111-111111111111'
const OTHER_RUN = '22222222-2222-4222-8222-222222222222'
const NOISE = { clipNorm: 1, noiseMultiplier: 3 }
const epsilonOf = (draws: number) =>
  pld.epsilonUpperBound([{ sampleRate: 1, noiseMultiplier: NOISE.noiseMultiplier, steps: draws }], 1e-5)
const termsFor = (draws: number): ClientLevel => ({ ...NOISE, budget: { epsilon: epsilonOf(draws), delta: 1e-5 } })

const draw = (changes: Partial<Draw> = {}): Draw => {
  return { runId: RUN, round: 0, terms: termsFor(2), clients: ['a', 'b'], atLeast: 1, ...changes }
}
const bounds = epsilonBounds()
const ledgerOn = (store = createMemoryStore()) => ({
  store,
  ledger: new CentralLedger({ store: store.ledger, bounds, now: () => 0 }),
})

describe('the central ledger', () => {
  it('pays a full Gaussian mechanism per client and draw, and writes it down before it promises anything', async () => {
    const { ledger, store } = ledgerOn()
    const paid = await ledger.reserve(draw())
    expect(paid?.clients).toEqual(['a', 'b'])
    expect(paid?.reservation.entry).toMatchObject({ event: eventOfClientLevelRound(NOISE), attempt: 1, durable: true })
    const one = { sampleRate: 1, noiseMultiplier: 3, steps: 1 }
    expect(await store.ledger.clientLevelSpending()).toEqual([
      { clientId: 'a', ...one },
      { clientId: 'b', ...one },
    ])
    expect(ledger.eventsOf('a')).toEqual([one])
    expect(ledger.eventsOf('c')).toEqual([])
  })

  it('charges a round again when it is drawn again, and then no more than the budget', async () => {
    const { ledger, store } = ledgerOn()
    expect((await ledger.reserve(draw()))?.reservation.entry.attempt).toBe(1)
    expect((await ledger.reserve(draw()))?.reservation.entry.attempt).toBe(2)
    expect(await ledger.reserve(draw())).toBeUndefined()
    expect(await store.ledger.lastDraw(RUN, 0)).toBe(2)
    expect(await ledger.canPay('a', termsFor(2))).toBe(false)
    expect(await ledger.canPay('a', termsFor(3))).toBe(true)
  })

  it('leaves out clients without budget, and charges none when too few have some', async () => {
    const { ledger } = ledgerOn()
    await ledger.reserve(draw({ clients: ['a'] }))
    await ledger.reserve(draw({ clients: ['a'] }))
    expect(await ledger.reserve(draw({ round: 1, atLeast: 2 }))).toBeUndefined()
    expect(ledger.eventsOf('b')).toEqual([])
    expect((await ledger.reserve(draw({ round: 1 })))?.clients).toEqual(['b'])
  })

  it('trap: a budget kept per run or per process. Another run, and another process, find it spent', async () => {
    const { ledger, store } = ledgerOn()
    await ledger.reserve(draw())
    await ledger.reserve(draw({ runId: OTHER_RUN }))
    const { ledger: later } = ledgerOn(store)
    await later.load()
    expect(await later.canPay('a', termsFor(2))).toBe(false)
    expect(await later.reserve(draw({ runId: OTHER_RUN, round: 1 }))).toBeUndefined()
  })

  it('trap: two runs spend the last of a budget at once. One does', async () => {
    const { ledger } = ledgerOn()
    const terms = termsFor(1)
    const both = await Promise.all([RUN, OTHER_RUN].map((runId) => ledger.reserve(draw({ runId, terms }))))
    expect(both.filter((paid) => paid !== undefined)).toHaveLength(1)
  })

  it('trap: two coordinators spend the last of a budget at once. One does, and the other judges anew', async () => {
    const { ledger, store } = ledgerOn()
    const { ledger: elsewhere } = ledgerOn(store)
    const terms = termsFor(1)
    const both = await Promise.all([
      ledger.reserve(draw({ terms })),
      elsewhere.reserve(draw({ runId: OTHER_RUN, terms })),
    ])
    expect(both.filter((paid) => paid !== undefined)).toHaveLength(1)
    await ledger.load()
    expect(ledger.eventsOf('a')).toEqual([{ sampleRate: 1, noiseMultiplier: 3, steps: 1 }])
  })
})
