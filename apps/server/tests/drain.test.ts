import { once } from 'node:events'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { Invitation, RunManifest, RunSnapshot } from '../../../packages/core/src/protocol/index.ts'
import {
  enrolClients,
  expectedAdapter,
  type FakeClient,
  get,
  placeEmbeddedDatabase,
  post,
  startCoordinatorProcess,
  temporaryFolder,
  tinyRequest,
  until,
} from '../../../packages/testing/src/server/index.ts'

/** Begins to upload and stops half way; `rest` sends what is left and resolves with the answer. */
function halfUpload(url: string, client: FakeClient, invitation: Invitation) {
  const { runId, round, uploadToken } = invitation
  const frame = client.frame(invitation)
  const upload = request(`${url}/v1/runs/${runId}/rounds/${round}/update`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${uploadToken}`, 'content-length': frame.length },
  })
  const failed = once(upload, 'error').then(([error]) => Promise.reject(error as Error))
  failed.catch(() => {}) // it may fail before it is awaited
  const half = Math.floor(frame.length / 2)
  const sent = new Promise<void>((resolve) => upload.write(frame.subarray(0, half), () => resolve()))
  return {
    sent,
    rest: async () => {
      const answered = once(upload, 'response')
      answered.catch(() => {})
      upload.end(frame.subarray(half))
      const [response] = await Promise.race([answered, failed])
      return { status: response.statusCode as number, body: (await json(response)) as object }
    },
  }
}

/** Two starts of a process with its own database. */
const PATIENCE = { timeout: 240_000 }

describe('a coordinator that is asked to stop', () => {
  it(
    'takes in the update that is on its way, begins nothing, sends its clients away to come back, and exits with 0',
    PATIENCE,
    async () => {
      await using folder = await temporaryFolder()
      await placeEmbeddedDatabase(folder.path)
      const settings = { port: 0, stateDir: folder.path, logLevel: 'error', gatherSeconds: 60 } as const
      const first = await startCoordinatorProcess({ ...settings, graceSeconds: 60 })
      const { url, operatorToken } = first
      const silent = { train: async () => {} }
      const clients = await enrolClients(url, operatorToken, 2, silent)
      const [a, b] = clients as [FakeClient, FakeClient]
      const asked = tinyRequest({ rounds: 2, clientsPerRound: 2, quorum: 2 })
      const { runId } = await post<RunManifest>(url, '/v1/runs', asked, operatorToken)
      await Promise.all(clients.map((client) => client.connect()))
      await until('the invitations', () => clients.every(({ invitations }) => invitations.length === 1))
      await a.upload(a.invitations[0]!)
      const upload = halfUpload(url, b, b.invitations[0]!)
      await upload.sent
      const reasons = clients.map(({ socket }) => new Promise((resolve) => socket!.once('disconnect', resolve)))
      const stopped = first.stop()
      // The reason after which a Socket.IO client reconnects by itself; 'io server disconnect' would be one after which
      // not.
      expect(await Promise.all(reasons)).toEqual(['transport close', 'transport close'])
      await expect(fetch(`${url}/healthz`)).rejects.toThrow()
      expect(await upload.rest()).toMatchObject({ status: 200, body: { status: 'accepted' } })
      expect(await stopped).toBe(0)
      // both updates are in, and no round followed
      expect(clients.map(({ invitations }) => invitations.length)).toEqual([1, 1])

      await using second = await startCoordinatorProcess(settings)
      for (const client of clients) client.moveTo(second.url)
      expect((await b.upload(b.invitations[0]!)).status).toBe('duplicate')
      await Promise.all(clients.map((client) => client.connect()))
      await until('round 1', () => clients.every(({ invitations }) => invitations.at(-1)!.round === 1))
      for (const client of clients) await client.upload(client.invitations.at(-1)!)
      const done = await until('the end of the run', async () => {
        const seen = await get<RunSnapshot>(second.url, `/v1/runs/${runId}`, operatorToken)
        return seen.state === 'completed' && seen
      })
      expect(done.adapter).toBe(expectedAdapter(done, clients))
      expect(done.clients.map(({ steps }) => steps)).toEqual([4, 4])
      for (const client of clients) client.disconnect()
    },
  )

  it(
    'waits no longer than its grace period for an upload that does not go on; nothing of it is stored',
    PATIENCE,
    async () => {
      await using folder = await temporaryFolder()
      await placeEmbeddedDatabase(folder.path)
      const settings = { port: 0, stateDir: folder.path, logLevel: 'silent', gatherSeconds: 60 } as const
      const first = await startCoordinatorProcess({ ...settings, graceSeconds: 0.2 })
      const { url, operatorToken } = first
      const [client] = (await enrolClients(url, operatorToken, 1, { train: async () => {} })) as [FakeClient]
      const asked = tinyRequest({ rounds: 1, clientsPerRound: 1, quorum: 1 })
      const { runId } = await post<RunManifest>(url, '/v1/runs', asked, operatorToken)
      await client.connect()
      await until('the invitation', () => client.invitations.length === 1)
      const upload = halfUpload(url, client, client.invitations[0]!)
      await upload.sent
      expect(await first.stop()).toBe(0)
      await expect(upload.rest()).rejects.toThrow()
      await using second = await startCoordinatorProcess(settings)
      const { current } = await get<RunSnapshot>(second.url, `/v1/runs/${runId}`, operatorToken)
      expect(current).toMatchObject({ round: 0, state: 'tasked', received: [] })
      client.moveTo(second.url)
      expect((await client.upload(client.invitations[0]!)).status).toBe('accepted')
      client.disconnect()
    },
  )
})
