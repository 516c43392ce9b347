import { describe, expect, it } from 'vitest'
import { decodeState, type RunRequest } from '../../../packages/core/src/protocol/index.ts'
import {
  call,
  createOperator,
  hexSha256,
  MovableClock,
  sha256,
  signIn,
  type TestCoordinator,
  testCoordinator,
  tinyRequest,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'
import type { EvaluatorFactory } from '../src/index.ts'
import { schemaHashOf } from '../src/rounds/index.ts'

/** A hold-out on which the rounds of every run reach these accuracies, one after the other. */
function measuring(accuracies: readonly number[]): EvaluatorFactory {
  return async () => {
    let next = 0
    return {
      baseline: { majority: 0.5, records: 10 },
      evaluate: async () => ({ accuracy: accuracies[next++]!, loss: 1, records: 10 }),
      async [Symbol.asyncDispose]() {},
    }
  }
}

async function coordinatorWithRun(
  rounds: number,
  accuracies?: readonly number[],
  {
    keep,
    ...settings
  }: { keep?: string; keepStates?: string; collectSeconds?: number; collectGraceSeconds?: number } = {},
) {
  const clock = new MovableClock()
  const parts = accuracies && { evaluatorFor: measuring(accuracies) }
  const coordinator = await testCoordinator(settings, { ...parts, clock })
  const client = await coordinator.client('north', { train: trainAndUpload })
  const once: Partial<RunRequest> = {
    clientsPerRound: 1,
    quorum: 1,
    rounds,
    target: { epsilon: 50, delta: 1e-5 },
    ...(keep && { keep }),
  }
  const manifest = await coordinator.createRun(once)
  await client.connect()
  await coordinator.seen(manifest.runId, 'the end', ({ state }) => state === 'completed')
  return { coordinator, clock, manifest, once, runId: manifest.runId }
}

async function frameOf({ url, operatorToken: bearer }: TestCoordinator, runId: string, query = '') {
  const reply = await fetch(`${url}/v1/runs/${runId}/adapter${query}`, {
    headers: { authorization: `Bearer ${bearer}` },
  })
  return { status: reply.status, bytes: new Uint8Array(await reply.arrayBuffer()) }
}

describe('states of a run', () => {
  it('are served round by round, the best by accuracy, and of equals the earliest', async () => {
    const { coordinator, runId } = await coordinatorWithRun(4, [0.5, 0.75, 0.75, 0.625])
    await using _ = coordinator
    const { best, adapter } = await coordinator.snapshot(runId)
    expect(best).toEqual({ round: 1, accuracy: 0.75 })
    const states = await Promise.all([0, 1, 2, 3].map((round) => frameOf(coordinator, runId, `?round=${round}`)))
    expect(new Set(states.map(({ bytes }) => hexSha256(bytes))).size).toBe(4)
    expect((await frameOf(coordinator, runId, '?round=best')).bytes).toEqual(states[1]!.bytes)
    expect((await frameOf(coordinator, runId)).bytes).toEqual(states[3]!.bytes)
    expect(hexSha256(states[3]!.bytes)).toBe(adapter)
    const bearer = coordinator.operatorToken
    const asked = (query: string) => call(coordinator.url, `GET /v1/runs/${runId}/adapter${query}`, { bearer })
    expect(await asked('?round=4')).toMatchObject({ status: 404, code: 'STATE_NOT_FOUND' })
    expect(JSON.stringify((await asked('?round=4')).body)).toMatch(/round 5.*rounds 1 to 4 are published/)
    for (const query of ['?round=-1', '?round=1.5', '?round=worst', '?best=1', '?round=1&round=2'])
      expect(await asked(query), query).toMatchObject({ status: 400, code: 'MESSAGE_INVALID' })
  })

  it('have no best one without a hold-out', async () => {
    const { coordinator, runId } = await coordinatorWithRun(1)
    await using _ = coordinator
    expect(await coordinator.snapshot(runId)).not.toHaveProperty('best')
    const asked = await call(coordinator.url, `GET /v1/runs/${runId}/adapter?round=best`, {
      bearer: coordinator.operatorToken,
    })
    expect(asked).toMatchObject({ status: 404, code: 'STATE_NOT_FOUND' })
  })
})

describe('a run that starts from an earlier one', () => {
  it('begins with its numbers, says so in its manifest, and trains on', async () => {
    const { coordinator, manifest: earlier, runId, once } = await coordinatorWithRun(3, [0.5, 0.75, 0.625, 0.9])
    await using _ = coordinator
    const later = await coordinator.createRun({ ...once, rounds: 1, startFrom: { runId, round: 'best' } })
    const source = await frameOf(coordinator, runId, '?round=1')
    expect(later.startFrom).toEqual({ runId, round: 1, sha256: hexSha256(source.bytes) })
    const again = await coordinator.createRun({ ...once, rounds: 1, startFrom: later.startFrom! }) // as a clone asks
    expect(again.startFrom).toEqual(later.startFrom)
    const initial = await coordinator.store.adapters.find(later.runId, 0)
    const { bytes } = await frameOf(coordinator, later.runId)
    expect(initial).toMatchObject({ basis: 0 })
    const schemaHash = schemaHashOf(earlier.adapter)
    const begun = decodeState({ runId: later.runId, schemaHash, adapter: later.adapter, basis: 0 }, bytes, sha256)
    const taken = decodeState({ runId, schemaHash, adapter: earlier.adapter, basis: 2 }, source.bytes, sha256)
    expect({ ...begun, basis: 2 }).toEqual(taken)
    await coordinator.seen(later.runId, 'the end', ({ state }) => state === 'completed')
    const { entries } = (await call(coordinator.url, 'GET /v1/audit-log', { bearer: coordinator.operatorToken }))
      .body as { entries: { action: string; detail: object }[] }
    expect(entries.filter(({ action }) => action === 'run.create')[1]!.detail).toMatchObject({
      startFrom: `run:${runId} round 2`,
    })
  })

  it('is refused, with the reason, where the two do not train the same numbers, and costs nothing', async () => {
    const { coordinator, runId, once } = await coordinatorWithRun(1)
    await using _ = coordinator
    const startFrom = { runId }
    const { adapter } = tinyRequest()
    const bearer = coordinator.operatorToken
    const refusals: readonly [Partial<RunRequest>, RegExp][] = [
      [{ labels: ['spam', 'ham'] }, /labels ham, spam, as the run.*got spam, ham/],
      [{ labels: ['ham', 'spam', 'odd'] }, /labels ham, spam/],
      [{ adapter: { ...adapter, rank: 1 } }, /adapter.rank 2/],
      [{ adapter: { ...adapter, alpha: 4 } }, /adapter.alpha 2/],
      [{ adapter: { ...adapter, headMode: 'frozen' } }, /adapter.headMode trained/],
      [{ task: 'token-classification' }, /task sequence-classification/],
      [{ model: { name: 'tiny', maxTokens: 16, featureScale: 10 } }, /model.featureScale 1,/],
      [{ initialiser: 'orthonormal' }, /startFrom, or an initialiser/],
      [{ startFrom: { runId: '11111111-1111-4111-8111-111111111111' } }, /RUN_NOT_FOUND/],
      [{ startFrom: { runId, sha256: '0'.repeat(64) } }, /CONFIG_INVALID: the state that startFrom names/],
      [{ startFrom: { runId, round: 7 } }, /STATE_NOT_FOUND.*round 8/],
      [{ startFrom: { runId, round: 'best' } }, /STATE_NOT_FOUND.*hold-out/],
    ]
    for (const [changes, reason] of refusals) {
      const body = tinyRequest({ ...once, startFrom, ...changes })
      for (const route of ['POST /v1/runs', 'POST /v1/runs/price']) {
        const answer = await call(coordinator.url, route, { bearer }, body)
        expect(answer.status).toBeGreaterThanOrEqual(400)
        const { code, expected, got } = (answer.body as { error: Record<string, string> }).error
        expect(`${code}: ${expected}, got ${got}`, route).toMatch(reason)
      }
    }
    // longer texts and another length of the run are no reason
    await coordinator.createRun({ ...once, startFrom, model: { name: 'tiny', maxTokens: 8 }, rounds: 9 })
    const empty = await coordinator.createRun({ clientsPerRound: 5, quorum: 5 })
    const body = tinyRequest({ ...once, startFrom: { runId: empty.runId } })
    expect(await call(coordinator.url, 'POST /v1/runs', { bearer }, body)).toMatchObject({ code: 'CONFIG_INVALID' })
    // somebody else's run is none
    await createOperator(coordinator, 'otto', 'operator')
    const otto = await signIn(coordinator.url, 'otto')
    const foreign = await call(coordinator.url, 'POST /v1/runs', { bearer: otto }, tinyRequest({ ...once, startFrom }))
    expect(foreign).toMatchObject({ status: 404, code: 'RUN_NOT_FOUND' })
  })
})

describe('the rule of a run', () => {
  it('keeps its best and its newest state, and those that have a name, and lets go of the bytes of others', async () => {
    const collecting = { keepStates: 'last:1', collectSeconds: 3600, collectGraceSeconds: 1 }
    const accuracies = [0.5, 0.9, 0.75, 0.625]
    const { coordinator, clock, runId } = await coordinatorWithRun(4, accuracies, { keep: 'best', ...collecting })
    await using _ = coordinator
    const { url, operatorToken: bearer, store } = coordinator
    expect(await coordinator.snapshot(runId)).toMatchObject({ keep: 'best' })
    const named = await call(url, `POST /v1/runs/${runId}/registered-models`, { bearer }, { name: 'spam', round: 0 })
    expect(named).toMatchObject({ status: 201, body: { name: 'spam', version: 1, round: 0, accuracy: 0.5, tags: [] } })
    clock.advance(3_600_000)
    await until('the collection', async () => (await store.adapters.kept(runId)).length === 3)
    expect(await store.adapters.kept(runId)).toEqual([1, 2, 4])
    const served = async (): Promise<number[]> =>
      await Promise.all(
        [0, 1, 2, 3].map(async (round) => (await frameOf(coordinator, runId, `?round=${round}`)).status),
      )
    await until('the answers', async () => (await served()).join() === '200,200,404,200')
    const dropped = await call(url, `GET /v1/runs/${runId}/adapter?round=2`, { bearer })
    expect(JSON.stringify(dropped.body)).toMatch(/STATE_NOT_FOUND.*that after round 3, which its rule dropped/)
    const { sha256: gone } = (await store.adapters.find(runId, 3))!
    expect(await store.references.referenced([gone], { keepUpdates: true })).toEqual(new Set())
    // without its name it goes, too
    expect((await call(url, `DELETE /v1/runs/${runId}/registered-models/spam/1`, { bearer })).status).toBe(200)
    await until('the next collection', async () => {
      clock.advance(3_600_000)
      return (await store.adapters.kept(runId)).length === 2
    })
  })

  it('is that of the coordinator where its request has none, and holds once it is over', async () => {
    const collecting = { keepStates: 'last:1', collectSeconds: 3600, collectGraceSeconds: 1 }
    const { coordinator, clock, runId, once } = await coordinatorWithRun(2, undefined, collecting)
    await using _ = coordinator
    const open = await coordinator.createRun({ ...once, rounds: 5, quorum: 3, clientsPerRound: 3, keep: 'best' })
    clock.advance(3_600_000)
    await until('the collection', async () => (await coordinator.store.adapters.kept(runId)).length === 1)
    expect(await coordinator.store.adapters.kept(runId)).toEqual([2])
    expect(await coordinator.store.adapters.kept(open.runId)).toEqual([0])
  })
})

describe('the registry', () => {
  it('counts versions by name, moves tags, and is each operator’s own', async () => {
    const { coordinator, runId, once } = await coordinatorWithRun(2, [0.5, 0.75])
    await using _ = coordinator
    const { url, operatorToken: bearer } = coordinator
    const register = (body: object, run = runId, as = bearer) =>
      call(url, `POST /v1/runs/${run}/registered-models`, { bearer: as }, body)
    const list = async (as = bearer) =>
      ((await call(url, 'GET /v1/registered-models', { bearer: as })).body as { models: Record<string, unknown>[] })
        .models
    await register({ name: 'Spam filter', round: 0, tags: ['production', 'old'] })
    await register({ name: 'Spam filter', round: 'best', tags: ['production'] })
    expect((await register({ name: 'Spam filter', round: 1, tags: ['production', 'new'] })).body).toMatchObject({
      version: 2,
    })
    expect((await list()).map(({ version, round, tags, accuracy }) => [version, round, tags, accuracy])).toEqual([
      [2, 1, ['production', 'new'], 0.75],
      [1, 0, ['old'], 0.5],
    ])
    for (const body of [{ name: '' }, { name: 'a', tags: ['Big'] }, { name: 'a', tag: 'x' }, { name: '../a' }, {}])
      expect(await register(body), JSON.stringify(body)).toMatchObject({ status: 400, code: 'MESSAGE_INVALID' })
    expect(await register({ name: 'a', round: 9 })).toMatchObject({ code: 'STATE_NOT_FOUND' })
    const empty = await coordinator.createRun({ clientsPerRound: 5, quorum: 5 })
    expect(await register({ name: 'a' }, empty.runId)).toMatchObject({ code: 'RUN_STATE' })
    // another operator neither sees the models nor takes their name
    await createOperator(coordinator, 'otto', 'operator')
    const otto = await signIn(url, 'otto')
    expect(await list(otto)).toEqual([])
    expect(await register({ name: 'a' }, runId, otto)).toMatchObject({ code: 'RUN_NOT_FOUND' })
    const { body } = await call(url, 'POST /v1/runs', { bearer: otto }, tinyRequest({ ...once, rounds: 1 }))
    const { runId: own } = body as { runId: string }
    await coordinator.seen(own, 'the end', ({ state }) => state === 'completed')
    expect(await register({ name: 'Spam filter' }, own, otto)).toMatchObject({ code: 'FORBIDDEN' })
    expect(await register({ name: 'otto' }, own, otto)).toMatchObject({ status: 201 })
    expect((await list(otto)).map(({ name }) => name)).toEqual(['otto'])
    // a number is not given twice
    expect((await call(url, `DELETE /v1/runs/${runId}/registered-models/Spam%20filter/2`, { bearer })).status).toBe(200)
    expect(await call(url, `DELETE /v1/runs/${runId}/registered-models/Spam%20filter/2`, { bearer })).toMatchObject({
      code: 'STATE_NOT_FOUND',
    })
    expect((await register({ name: 'Spam filter', round: 1 })).body).toMatchObject({ version: 3 })
  })
})
