import { readdir, rm, statfs, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../../../packages/core/src/errors.ts'
import {
  call,
  fillableDisk,
  MovableClock,
  smallFileSystem,
  temporaryFolder,
  testCoordinator,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { openFileBlobs } from '../src/storage/objects/index.ts'

const PAUSE_MS = 10_000

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
  } catch (error) {
    if (isFedsvdError(error)) return error.code
    throw error
  }
  return 'none'
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name)
}

describe('a disk without room', () => {
  it('is reported to the sender, which keeps the frame: the same bytes are accepted when there is room', async () => {
    await using folder = await temporaryFolder()
    const disk = fillableDisk()
    await using coordinator = await testCoordinator({}, { openBlobs: () => openFileBlobs(folder.path, disk.openFile) })
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site', { train: async () => {} })
    await client.connect()
    const invitation = await until('the invitation', () => client.invitations[0])
    const kept = await filesBelow(folder.path)

    disk.isFull = true
    for (let attempt = 0; attempt < 8; attempt += 1) {
      expect(await codeOf(client.upload(invitation))).toBe('STORAGE_UNAVAILABLE')
    }
    expect(await filesBelow(folder.path)).toEqual(kept)
    const { state, current, alerts } = await coordinator.snapshot(runId)
    expect({ state, received: current?.received }).toEqual({ state: 'running', received: [] })
    expect(alerts.map(({ code }) => code)).toEqual(['STORAGE_UNAVAILABLE'])
    expect(await call(coordinator.url, 'GET /readyz')).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' })
    expect((await call(coordinator.url, 'GET /healthz')).status).toBe(200)

    disk.isFull = false
    expect((await client.upload(invitation)).status).toBe('accepted')
    await coordinator.seen(runId, 'the end', (run) => run.state === 'completed')
    await until('readiness', async () => (await call(coordinator.url, 'GET /readyz')).status === 200)
  })

  it('does not end a run: its result waits for room, however often that fails, with an alert', async () => {
    await using folder = await temporaryFolder()
    const disk = fillableDisk()
    const clock = new MovableClock()
    await using coordinator = await testCoordinator(
      {},
      { clock, openBlobs: () => openFileBlobs(folder.path, disk.openFile) },
    )
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2, deadlineSeconds: 86_400 })
    // The first update is let in, and the disk fills up behind it.
    const save = coordinator.store.rounds.save
    Object.assign(coordinator.store.rounds, {
      save: async (...args: Parameters<typeof save>) => {
        const { after } = args[0]
        if (after.round === 0 && after.phase === 'received') disk.isFull = true
        return await save(...args)
      },
    })
    const client = await coordinator.client('site')
    await client.connect()
    await until('more failures than any other fault is allowed', () => {
      clock.advance(PAUSE_MS)
      return disk.failures > 8
    })
    const { state, alerts, roundsDone } = await coordinator.snapshot(runId)
    expect({ state, roundsDone }).toEqual({ state: 'running', roundsDone: 0 })
    expect(alerts.map(({ code }) => code)).toEqual(['STORAGE_UNAVAILABLE'])

    disk.isFull = false
    await coordinator.seen(runId, 'the end', (run) => {
      clock.advance(PAUSE_MS)
      return run.state === 'completed'
    })
  })

  it('is met on a real file system, which is full to its last byte', async ({ skip }) => {
    const fileSystem = await smallFileSystem(256)
    if (fileSystem === undefined) return skip('no file system can be mounted here')
    await using folder = fileSystem
    await using coordinator = await testCoordinator({ blobs: path.join(folder.path, 'blobs') })
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 1 })
    const client = await coordinator.client('site', { train: async () => {} })
    await client.connect()
    const invitation = await until('the invitation', () => client.invitations[0])
    const { bavail, bsize } = await statfs(folder.path)
    const ballast = path.join(folder.path, 'ballast')
    await writeFile(ballast, new Uint8Array(bavail * bsize))

    expect(await codeOf(client.upload(invitation))).toBe('STORAGE_UNAVAILABLE')
    expect(await call(coordinator.url, 'GET /readyz')).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' })
    await rm(ballast)
    expect((await client.upload(invitation)).status).toBe('accepted')
    await coordinator.seen(runId, 'the end', (run) => run.state === 'completed')
  })
})
