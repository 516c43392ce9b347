import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../apps/server/src/storage/records/memory/index.ts'
import type { RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import { memoryBlobs, post, testCoordinator } from '../../packages/testing/src/server/index.ts'

const silent = { train: async () => {} }
const request = { clientsPerRound: 2, quorum: 2, rounds: 2 }

/** A run in whose first round one client of two has delivered, as a coordinator leaves it that is shut down. */
async function interruptedRun() {
  const objects = new Map<string, Uint8Array>()
  const store = createMemoryStore()
  const parts = { openStore: async () => store, openBlobs: async () => memoryBlobs(objects) }
  await using first = await testCoordinator({}, parts)
  const { runId } = await first.createRun(request)
  const clients = [await first.client('a'), await first.client('b', silent)]
  await Promise.all(clients.map((client) => client.connect()))
  await first.seen(runId, 'an update', ({ current }) => current?.received.length === 1)
  const base = (await store.adapters.find(runId, 0))!.sha256
  const progress = (await store.rounds.find(runId, 0))!
  const update = progress.tasks.find(({ state }) => state === 'delivered')!.update!.sha256
  return { objects, parts, runId, base, update }
}

describe('stored objects that a run needs', () => {
  it.each([
    ['the state that a round starts from', ['base']],
    ['an update that was accepted', ['update']],
    ['everything', ['base', 'update']],
  ] as const)('pause it, by name, when they are gone at a start: %s', async (_, which) => {
    const { objects, parts, runId, ...names } = await interruptedRun()
    const gone = which.map((name) => names[name])
    const backup = new Map(objects)
    for (const name of gone) objects.delete(name)
    await using second = await testCoordinator({}, parts)
    const { alerts } = await second.seen(runId, 'a pause', ({ state }) => state === 'paused')
    const alert = alerts.find(({ code }) => code === 'OBJECT_MISSING')
    for (const name of gone) expect(alert?.message).toContain(name)

    for (const [name, bytes] of backup) objects.set(name, bytes)
    const resumed = await post<RunSnapshot>(second.url, `/v1/runs/${runId}/resume`, {}, second.operatorToken)
    expect(resumed.state).toBe('running')
    await second.seen(
      runId,
      'the round as it was',
      ({ state, current }) => state === 'running' && current?.received.length === 1,
    )
  })

  it('pause it when their bytes are others', async () => {
    const { objects, parts, runId, base } = await interruptedRun()
    objects.set(base, new Uint8Array(objects.get(base)!.length))
    await using second = await testCoordinator({}, parts)
    const { alerts } = await second.seen(runId, 'a pause', ({ state }) => state === 'paused')
    expect(alerts.find(({ code }) => code === 'OBJECT_MISSING')?.message).toContain(base)
  })
})
