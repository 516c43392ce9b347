import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pld } from '../../../packages/core/src/accounting/index.ts'
import { type RunRequest, runPriceSchema, type SitePrice } from '../../../packages/core/src/protocol/index.ts'
import {
  call,
  createOperator,
  signIn,
  type TestCoordinator,
  testCoordinator,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'

let coordinator: TestCoordinator
let operator: string
let spent: number

/* Fake clients declare 100 records, and train at noise multiplier 2 in lots of 10, two steps a round. */
beforeAll(async () => {
  coordinator = await testCoordinator()
  await createOperator(coordinator, 'otto', 'operator')
  operator = await signIn(coordinator.url, 'otto')
  await coordinator.client('new')
  const others = await Promise.all(['capped', 'gone', 'site', 'revoked'].map((name) => coordinator.client(name)))
  const [capped, gone, , revoked] = others
  for (const client of others) await client.connect()
  await ask(`POST /v1/clients/${revoked!.clientId}/revoke`)
  const { runId } = await coordinator.createRun({ rounds: 2 })
  await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  gone!.disconnect()
  spent = pld.epsilonUpperBound([{ sampleRate: 0.1, noiseMultiplier: 2, steps: 4 }], 1e-5)
  await ask(`PATCH /v1/clients/${capped!.clientId}/budget`, { epsilon: spent + 1e-3, delta: 1e-5 })
  await until('the client to be gone', async () => (await pricesOf({})).get('gone')?.standing === 'away')
})
afterAll(() => coordinator[Symbol.asyncDispose]())

const ask = (route: string, body?: unknown, bearer = coordinator.operatorToken) =>
  call(coordinator.url, route, { bearer }, body)

async function pricesOf(changes: Partial<RunRequest>, bearer?: string): Promise<ReadonlyMap<string, SitePrice>> {
  const { status, body } = await ask('POST /v1/runs/price', tinyRequest(changes), bearer)
  expect(status).toBe(200)
  return new Map(runPriceSchema.parse(body).clients.map((price) => [price.name, price]))
}

describe('the price of a run', () => {
  it('says who can take part, at what noise and for how much, and why the others cannot', async () => {
    const prices = await pricesOf({ rounds: 4, localSteps: 2, target: { epsilon: 3, delta: 1e-5 } })
    expect([...prices.keys()].sort()).toEqual(['capped', 'gone', 'new', 'site'])
    const site = prices.get('site')!
    expect(site).toMatchObject({ standing: 'ready', declaredRecords: 100, roundsAffordable: 4, delta: 1e-5 })
    const event = { sampleRate: 0.1, noiseMultiplier: site.noiseMultiplier!, steps: 8 }
    expect(site.epsilonOfRun).toBeCloseTo(pld.epsilonUpperBound([event], 1e-5), 10)
    expect(site.epsilonOfRun).toBeLessThan(3)
    expect(pld.epsilonUpperBound([{ ...event, steps: 12 }], 1e-5)).toBeGreaterThan(2.9) // the least noise that does
    expect(prices.get('capped')).toMatchObject({
      standing: 'out',
      roundsAffordable: 0,
      reason: expect.stringMatching(/cap/),
    })
    // 8 was granted, and 3 after what was spent is less than that
    expect(site).not.toHaveProperty('reason')
    const larger = (await pricesOf({ rounds: 4, target: { epsilon: 20, delta: 1e-5 } })).get('site')!
    expect(larger.reason).toMatch(/^it never granted more than epsilon 8 here, and this run after the earlier ones/)
    expect(prices.get('new')).toMatchObject({ standing: 'undeclared', reason: expect.stringMatching(/not connected/) })
  })

  it('counts what every run has spent, also for an operator who may see none of them', async () => {
    const prices = await pricesOf({}, operator)
    expect(prices.get('site')!.epsilonSpent).toBeCloseTo(spent, 10)
  })

  it('leaves out who declares fewer records than a lot, and knows nothing of persons where there were records', async () => {
    expect((await pricesOf({ expectedLotSize: 101 })).get('site')).toMatchObject({
      standing: 'out',
      reason: 'it declares 100 records, fewer than the expectedLotSize of 101',
    })
    const persons = await pricesOf({ unit: { kind: 'person', maxRecords: 2, combine: 'mean' } })
    expect(persons.get('site')).toMatchObject({ standing: 'undeclared', reason: expect.stringMatching(/a person/) })
  })

  it('refuses what would be refused, and opens nothing', async () => {
    const before = (await ask('GET /v1/runs')).body as { readonly runs: readonly unknown[] }
    const { status, body } = await ask('POST /v1/runs/price', tinyRequest({ quorum: 4 }))
    expect([status, body]).toMatchObject([400, { error: { code: 'CONFIG_INVALID' } }])
    await pricesOf({})
    expect(((await ask('GET /v1/runs')).body as typeof before).runs.length).toBe(before.runs.length)
  })
})
