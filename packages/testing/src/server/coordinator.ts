import type { RunManifest, RunRequest, RunSnapshot } from '@fedsvd/core/protocol'
import { type Coordinator, type CoordinatorParts, type CoordinatorSettings, startCoordinator } from '@fedsvd/server'
import type { Store } from '@fedsvd/server/storage/records'
import { createMemoryStore } from '@fedsvd/server/storage/records/memory'
import { FakeClient, type FakeClientOptions, get, post } from './fake-client.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { tinyModels, tinyRequest } from './tiny-model.ts'
import { until } from './until.ts'

/** A coordinator on a memory store, with what its operator would do at hand. Disposing it disconnects its clients. */
export interface TestCoordinator extends Coordinator {
  readonly store: Store
  enrolment(): Promise<string>
  client(name: string, options?: FakeClientOptions): Promise<FakeClient>
  createRun(changes?: Partial<RunRequest>): Promise<RunManifest>
  snapshot(runId: string): Promise<RunSnapshot>
  /** The first snapshot that is as asked. */
  seen(runId: string, what: string, test: (snapshot: RunSnapshot) => boolean): Promise<RunSnapshot>
}

export async function testCoordinator(
  settings: CoordinatorSettings = {},
  parts: Partial<CoordinatorParts> = {},
): Promise<TestCoordinator> {
  const folder = await temporaryFolder()
  const store = createMemoryStore()
  const defaults: CoordinatorSettings = {
    port: 0,
    stateDir: folder.path,
    logLevel: 'silent',
    gatherSeconds: 0.2,
    graceSeconds: 1,
  }
  const coordinator = await startCoordinator(
    { ...defaults, ...settings },
    { models: tinyModels, openStore: async () => store, ...parts },
  )
  const { url, operatorToken } = coordinator
  const clients: FakeClient[] = []
  const enrolment = async (): Promise<string> => {
    const request = { count: 1, expiresInSeconds: 60 }
    return (await post<{ tokens: [string] }>(url, '/v1/enrolment-tokens', request, operatorToken)).tokens[0]
  }
  const snapshot = (runId: string) => get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
  return {
    ...coordinator,
    store,
    enrolment,
    snapshot,
    async client(name, options) {
      const client = await FakeClient.enrol(url, await enrolment(), name, options)
      clients.push(client)
      return client
    },
    createRun: (changes) => post<RunManifest>(url, '/v1/runs', tinyRequest(changes), operatorToken),
    seen: (runId, what, test) =>
      until(what, async () => {
        const current = await snapshot(runId)
        return test(current) && current
      }),
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect()
      await coordinator[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}
