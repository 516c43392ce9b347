import type { RunRequest } from '@fedsvd/core/protocol'
import {
  createOperator,
  type FakeClient,
  SECRET,
  type TestCoordinator,
  testCoordinator,
  until,
} from '../server/index.ts'
import { builtDashboard } from './built.ts'
import { PATIENCE_MS } from './chromium.ts'

/** A coordinator that serves the dashboard, with an operator of each role and clients that train nothing. */
export interface Scene extends TestCoordinator {
  readonly clients: readonly FakeClient[]
  readonly secret: string
}

export const NAMES = { admin: 'ada', operator: 'otto', auditor: 'audrey' } as const

export interface SceneOptions {
  /** Names of the clients that connect at once. */
  readonly clients?: readonly string[]
  /** False where the store has operators already. */
  readonly operators?: boolean
  readonly settings?: Parameters<typeof testCoordinator>[0]
  readonly parts?: Parameters<typeof testCoordinator>[1]
  readonly clientOptions?: (name: string) => Parameters<TestCoordinator['client']>[1]
}

export async function openScene(options: SceneOptions = {}): Promise<Scene> {
  const { clients: names = ['north clinic', 'east bank', 'south archive'], operators = true } = options
  const { settings, parts, clientOptions } = options
  const dashboardFolder = await builtDashboard()
  const coordinator = await testCoordinator(settings, { evaluatorFor, dashboardFolder, ...parts })
  for (const [role, name] of operators ? Object.entries(NAMES) : []) {
    await createOperator(coordinator, name, role as keyof typeof NAMES)
  }
  const clients: FakeClient[] = []
  for (const name of names) {
    const client = await coordinator.client(name, clientOptions?.(name))
    await client.connect()
    clients.push(client)
  }
  return {
    ...coordinator,
    clients,
    secret: SECRET,
    seen: (runId, what, test) =>
      until(
        what,
        async () => {
          const current = await coordinator.snapshot(runId)
          return test(current) && current
        },
        PATIENCE_MS,
      ),
  }
}

/** A double of the hold-out: its figures say which state was measured, nothing about a model. */
const evaluatorFor = async () => ({
  baseline: { majority: 0.5, records: 1000 },
  evaluate: async ({ basis }: { readonly basis: number }) => ({
    accuracy: 1 - 0.5 / Math.sqrt(1 + basis),
    loss: 1 / Math.sqrt(1 + basis),
    records: 1000,
  }),
  [Symbol.asyncDispose]: async () => {},
})

export const aRun = (changes: Partial<RunRequest> = {}): Partial<RunRequest> => ({
  name: 'spam filter',
  rounds: 12,
  clientsPerRound: 3,
  quorum: 2,
  target: { epsilon: 3, delta: 1e-5 },
  ...changes,
})
