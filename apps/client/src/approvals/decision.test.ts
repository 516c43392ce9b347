import { TERMS } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { expect, it } from 'vitest'
import { loadIdentity } from '../identity/identity.ts'
import { decide, decisionOn, type PendingRun } from './index.ts'

const RUN: PendingRun = {
  runId: '11111111-1111-4111-8111-111111111111',
  name: 'spam',
  coordinator: 'https://fedsvd.example:7373',
  manifestSha256: 'a'.repeat(64),
  budget: 'site',
  offeredAt: '2026-03-01T00:00:00.000Z',
  model: 'starter',
  task: 'sequence-classification',
  method: 'fedsvd',
  labels: ['ham', 'spam'],
  unit: 'record',
  rounds: 4,
  steps: 20,
  terms: TERMS,
  cost: { epsilon: 6, chargedBefore: 0, chargedAfter: 6, remainingAfter: 0 },
}
using folder = temporaryFolder()
const [site, other] = [loadIdentity(folder.path, RUN.coordinator), loadIdentity(folder.path, 'https://other.example')]
const at = new Date('2026-03-01T09:00:00Z')

it('a decision holds for the run that was looked at, at that price or a lower one', () => {
  for (const decision of ['approved', 'declined'] as const)
    expect(decisionOn(RUN, decide(RUN, decision, at, site.sign), site.publicKey)).toBe(decision)
  const dearer = { ...RUN, terms: { ...TERMS, budget: { epsilon: 7, delta: 1e-4 } } }
  expect(decisionOn(RUN, decide(dearer, 'approved', at, site.sign), site.publicKey)).toBe('approved')
})

it.each<[string, Partial<PendingRun>]>([
  ['run', { runId: '22222222-2222-4222-8222-222222222222' }],
  ['manifest', { manifestSha256: 'b'.repeat(64) }],
  ['coordinator', { coordinator: 'https://other.example' }],
  ['budget', { budget: 'trial' }],
  ['epsilon that is lower', { terms: { ...TERMS, budget: { ...TERMS.budget, epsilon: 5.9 } } }],
  ['delta that is lower', { terms: { ...TERMS, budget: { ...TERMS.budget, delta: 1e-6 } } }],
])('and decides nothing where it is about another %s', (_, changes) => {
  expect(decisionOn(RUN, decide({ ...RUN, ...changes }, 'approved', at, site.sign), site.publicKey)).toBeUndefined()
})

it('nor where something in it was changed, or another key signed it', () => {
  const declined = decide(RUN, 'declined', at, site.sign)
  expect(decisionOn(RUN, { ...declined, decision: 'approved' }, site.publicKey)).toBeUndefined()
  expect(decisionOn(RUN, decide(RUN, 'approved', at, other.sign), site.publicKey)).toBeUndefined()
  expect(decisionOn(RUN, declined, 'A'.repeat(43))).toBeUndefined()
})
