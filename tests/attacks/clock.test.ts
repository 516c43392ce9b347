import { afterEach, describe, expect, it, vi } from 'vitest'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import {
  call,
  createOperator,
  MovableClock,
  memoryBlobs,
  signIn,
  testCoordinator,
} from '../../packages/testing/src/server/index.ts'

const HOUR_MS = 3_600_000
const TERM_SECONDS = 60
const silent = { train: async () => {} }
const request = { clientsPerRound: 1, quorum: 1, deadlineSeconds: TERM_SECONDS }

describe('a clock that is two hours ahead', () => {
  afterEach(() => void vi.restoreAllMocks())

  it('moves no deadline while it is wrong for a moment', async () => {
    const right = Date.now
    await using coordinator = await testCoordinator()
    const client = await coordinator.client('a', silent)
    vi.spyOn(Date, 'now').mockImplementation(() => right() + 2 * HOUR_MS)
    const { runId } = await coordinator.createRun(request)
    await client.connect()
    const { current } = await coordinator.seen(runId, 'an open round', ({ current }) => current?.state === 'tasked')
    vi.restoreAllMocks()
    expect(Date.parse(current!.deadline!) - Date.now()).toBeLessThanOrEqual(TERM_SECONDS * 1000)
  })

  it('leaves a deadline behind that counts from the restart on', async () => {
    const openStore = async () => store
    const [store, blobs] = [createMemoryStore(), memoryBlobs()]
    const ahead = new MovableClock()
    ahead.advance(2 * HOUR_MS)
    const runId = await (async () => {
      await using first = await testCoordinator({}, { clock: ahead, openStore, openBlobs: async () => blobs })
      const client = await first.client('a', silent)
      const { runId } = await first.createRun(request)
      await client.connect()
      await first.seen(runId, 'an open round', ({ current }) => current?.state === 'tasked')
      return runId
    })()
    await using second = await testCoordinator({}, { openStore, openBlobs: async () => blobs })
    const { current } = await second.seen(runId, 'a deadline within its term', ({ current }) => {
      return Date.parse(current?.deadline ?? '') <= Date.now() + TERM_SECONDS * 1000
    })
    expect(current).toMatchObject({ state: 'tasked', extensions: 0 })
  })

  it('leaves no session behind that lasts longer than sessions do', async () => {
    const openStore = async () => store
    const store = createMemoryStore()
    const ahead = new MovableClock()
    ahead.advance(2 * HOUR_MS)
    const session = await (async () => {
      await using first = await testCoordinator({}, { clock: ahead, openStore })
      await createOperator(first, 'ada', 'auditor')
      return await signIn(first.url, 'ada')
    })()
    await using second = await testCoordinator({}, { openStore })
    expect(await call(second.url, 'GET /v1/runs', { bearer: session })).toMatchObject({ code: 'TOKEN_INVALID' })
    const anew = await signIn(second.url, 'ada')
    expect(await call(second.url, 'GET /v1/runs', { bearer: anew })).toMatchObject({ status: 200 })
  })
})
