import { expect, it } from 'vitest'
import { ClientCaps } from './client-caps.ts'
import type { EpsilonBounds } from './epsilon.ts'

const CLIENT = 'a client'
const BUDGET = { epsilon: 1, delta: 1e-5 }
const TERMS = { sampleRate: 0.1, noiseMultiplier: 2, budget: BUDGET, declaredRecords: 100 }

/** Caps on one client, with accountants that answer as told. */
async function capsWith(answers: { rule: unknown; fits: boolean }): Promise<ClientCaps> {
  const bounds = { of: () => ({ ruleFor: async () => answers.rule, fits: async () => answers.fits }) }
  const caps = new ClientCaps({
    clients: { caps: async () => [{ clientId: CLIENT, ...BUDGET, at: 0, actor: 'operator' }] as never },
    ledger: { spendingOf: async () => [], firstTerms: async () => new Map() },
    bounds: bounds as unknown as EpsilonBounds,
    runs: () => [],
  })
  await caps.load()
  return caps
}

it('more steps are allowed where the cap certainly covers them, and never without an answer in time', async () => {
  const rule = { kind: 'schedule', sampleRate: 0.1, noiseMultiplier: 2 }
  expect(await (await capsWith({ rule, fits: true })).allows(CLIENT, TERMS, 5)).toBe(true)
  expect(await (await capsWith({ rule, fits: false })).allows(CLIENT, TERMS, 5)).toBe(false)
  expect(await (await capsWith({ rule: undefined, fits: true })).allows(CLIENT, TERMS, 5)).toBe(false)
  expect(await (await capsWith({ rule: undefined, fits: false })).allows('another client', TERMS, 5)).toBe(true)
})
