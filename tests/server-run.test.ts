import type { RunManifest, RunSnapshot } from '@fedsvd/core/protocol'
import { startCoordinator } from '@fedsvd/server'
import { expect, it } from 'vitest'
import { FakeClient, get, post, temporaryFolder, tinyModels, tinyRequest, until } from '../apps/server/test-kit/index.ts'

it('runs a federation end to end', async () => {
  await using folder = await temporaryFolder()
  await using coordinator = await startCoordinator({ port: 0, stateDir: folder.path, logLevel: 'warn' }, { models: tinyModels })
  const { url, operatorToken } = coordinator
  const { tokens } = await post<{ tokens: string[] }>(url, '/v1/enrolment-tokens', { count: 3, expiresInSeconds: 60 }, operatorToken)
  const clients = await Promise.all(tokens.map((token, index) => FakeClient.enrol(url, token, `client ${index}`)))
  const { runId } = await post<RunManifest>(url, '/v1/runs', tinyRequest(), operatorToken)
  await Promise.all(clients.map((client) => client.connect()))
  const snapshot = await until('the end of the run', async () => {
    const seen = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
    return seen.state === 'completed' && seen
  })
  console.log(JSON.stringify(snapshot, null, 1).slice(0, 3000))
  expect(snapshot.roundsDone).toBe(3)
  for (const client of clients) client.disconnect()
})
