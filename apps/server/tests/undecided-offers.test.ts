import { describe, expect, it } from 'vitest'
import type { OfferReply } from '../../../packages/core/src/protocol/index.ts'
import { MovableClock, post, testCoordinator, until } from '../../../packages/testing/src/server/index.ts'

/*
 * A site that is asked before it joins a run: it answers the offer when somebody there has decided.
 */
describe('an offer that is not answered yet', () => {
  it('keeps nobody waiting, alerts nobody, and is taken up when the answer comes', async () => {
    await using coordinator = await testCoordinator()
    let decide = (): void => {}
    const asked = await coordinator.client('asked', {
      onOffer: (_, accept) =>
        new Promise<OfferReply>((resolve) => {
          decide = () => resolve(accept)
        }),
    })
    const prompt = await coordinator.client('prompt')
    await Promise.all([asked.connect(), prompt.connect()])
    const { runId } = await coordinator.createRun({ rounds: 2, clientsPerRound: 1, quorum: 1 })
    const alone = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(alone.clients.map(({ clientId }) => clientId)).toEqual([prompt.clientId])
    expect(alone.alerts).toEqual([])
    await until('news of the end', () => asked.ended.length === 1) // so that its site lists it no more
    decide()

    const next = await coordinator.createRun({ rounds: 1, clientsPerRound: 2, quorum: 2 })
    await until('the offer', () => asked.manifests.has(next.runId))
    decide()
    const both = await coordinator.seen(next.runId, 'the end', ({ state }) => state === 'completed')
    expect(both.clients).toHaveLength(2)
    expect((await coordinator.snapshot(runId)).alerts).toEqual([])
  })

  it('is made again to a client that is still there', async () => {
    const clock = new MovableClock()
    await using coordinator = await testCoordinator({}, { clock })
    let offers = 0
    const client = await coordinator.client('site', {
      onOffer: (_, accept) => {
        offers += 1
        return offers < 3 ? ({ accepted: 'not yet' } as never) : accept
      },
    })
    await client.connect()
    const { runId } = await coordinator.createRun({ rounds: 1, clientsPerRound: 1, quorum: 1 })
    for (const count of [1, 2]) {
      await until(`offer ${count}`, () => offers === count)
      await until('another offer', () => {
        clock.advance(30_000)
        return offers > count
      })
    }
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(offers).toBe(3)
  })

  it('is not taken for a refusal when its run was stopped meanwhile', async () => {
    await using coordinator = await testCoordinator()
    const client = await coordinator.client('site', { onOffer: () => new Promise<OfferReply>(() => {}) })
    await client.connect()
    const { runId } = await coordinator.createRun({ rounds: 1, clientsPerRound: 1, quorum: 1 })
    await until('the offer', () => client.manifests.has(runId))
    await post(coordinator.url, `/v1/runs/${runId}/stop`, {}, coordinator.operatorToken)
    await until('news of the end', () => client.ended.length === 1)
    expect(client.ended[0]).toMatchObject({ runId, state: 'stopped' })
    expect((await coordinator.snapshot(runId)).alerts).toEqual([])
  })
})
