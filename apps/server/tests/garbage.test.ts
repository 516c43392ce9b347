import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  call,
  expectedAdapter,
  MovableClock,
  temporaryFolder,
  testCoordinator,
  until,
} from '../../../packages/testing/src/server/index.ts'

const HOUR_MS = 3_600_000

async function objectsIn(folder: string): Promise<string[]> {
  const entries = await readdir(path.join(folder, 'blobs'), { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

async function metric(url: string, name: string): Promise<number> {
  const { body } = await call(url, 'GET /metrics')
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(String(body))?.[1])
}

describe('objects that nothing refers to any more', () => {
  it('are removed on a schedule: the updates of published rounds, never those of an open one, and no state', async () => {
    await using folder = await temporaryFolder()
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({ stateDir: folder.path }, { clock })
    const { runId } = await coordinator.createRun({
      clientsPerRound: 2,
      quorum: 2,
      rounds: 2,
      deadlineSeconds: 30 * 24 * 3600,
    })
    const silent = { train: async () => {} }
    const [client, other] = [await coordinator.client('a', silent), await coordinator.client('b', silent)]
    await Promise.all([client.connect(), other.connect()])
    await until('round 0', () => client.invitations.length + other.invitations.length === 2)
    const first = [await client.upload(client.invitations[0]!), await other.upload(other.invitations[0]!)]
    await until('round 1', () => client.invitations.length + other.invitations.length === 4)
    const { sha256 } = await client.upload(client.invitations[1]!)
    const before = await objectsIn(folder.path)
    expect(before).toEqual(expect.arrayContaining([sha256, ...first.map((reply) => reply.sha256)]))

    clock.advance(HOUR_MS + 1)
    await until('a collection', async () => (await metric(coordinator.url, 'fedsvd_objects_removed_total')) === 2)
    clock.advance(24 * HOUR_MS)
    const left = await objectsIn(folder.path)
    expect(left.toSorted()).toEqual(before.filter((name) => !first.some((reply) => reply.sha256 === name)).toSorted())
    expect(await metric(coordinator.url, 'fedsvd_stored_objects')).toBe(3)

    expect((await client.upload(client.invitations[0]!)).status).toBe('duplicate') // it is known without its bytes
    await other.upload(other.invitations[1]!)
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(snapshot.adapter).toBe(expectedAdapter(snapshot, [client, other]))
    clock.advance(2 * HOUR_MS)
    await until('another', async () => (await metric(coordinator.url, 'fedsvd_objects_removed_total')) === 4)
    expect(await objectsIn(folder.path)).toHaveLength(3) // the states
  })

  it('stay where the configuration says so', async () => {
    await using folder = await temporaryFolder()
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({ stateDir: folder.path, keepUpdates: true }, { clock })
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('a')
    await client.connect()
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    clock.advance(2 * HOUR_MS)
    await until('a collection', async () => (await metric(coordinator.url, 'fedsvd_stored_objects')) === 3)
    expect(await metric(coordinator.url, 'fedsvd_objects_removed_total')).toBe(0)
  })
})
