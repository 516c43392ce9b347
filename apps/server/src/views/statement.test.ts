import type { ClientSpending, RunSnapshot } from '@fedsvd/core/protocol'
import { expect, it } from 'vitest'
import type { EpsilonBounds } from '../privacy/index.ts'
import { privacyStatement } from './statement.ts'

const manifest = { method: 'fedsvd', rounds: 6, quorum: 1, clientsPerRound: 1, deadlineSeconds: 60, clipNorm: 1 }
const bound = async () => ({ epsilon: 1, by: 'pld' as const })

it.each([
  [undefined, 6],
  [{ ...manifest, rounds: 9, version: 1 }, 9],
])('a statement counts the rounds of the plan in force (%o): %i', async (plan, rounds) => {
  const run = { runId: 'run', name: 'a run', state: 'running', roundsDone: 1, manifest, plan, clients: [] }
  const terms = { budget: { epsilon: 6, delta: 1e-5 } }
  const statement = await privacyStatement({
    run: run as unknown as RunSnapshot,
    client: { clientId: 'c', name: 'site', terms, mechanisms: [] } as unknown as ClientSpending,
    publicKey: 'key',
    bounds: { epsilonUpperBound: bound, renyi: bound } as unknown as EpsilonBounds,
    version: '0',
    now: 0,
  })
  expect(statement.run).toMatchObject({ roundsDone: 1, rounds })
})
