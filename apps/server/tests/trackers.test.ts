import { readdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import {
  mlflowDouble,
  type TestCoordinator,
  temporaryFolder,
  testCoordinator,
  trainAndUpload,
  until,
} from '../../../packages/testing/src/server/index.ts'

async function runTwoRounds(coordinator: TestCoordinator): Promise<string> {
  const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2 })
  const client = await coordinator.client('north', { train: trainAndUpload })
  await client.connect()
  await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
  return runId
}

describe('trackers', () => {
  it('are told of a run from its first round to its adapter', async () => {
    await using server = await mlflowDouble('Bearer secret-token')
    await using folder = await temporaryFolder()
    const mlflow = { mlflowUrl: server.url, mlflowToken: 'secret-token', mlflowArtifacts: true }
    await using coordinator = await testCoordinator({ ...mlflow, tensorboardDir: folder.path, trackSites: true })
    const runId = await runTwoRounds(coordinator)
    await until('the end at MLflow', () => server.artifacts.size === 2)
    const [run] = server.runs
    expect(run).toMatchObject({ status: 'FINISHED', name: 'test run' })
    expect(run!.tags.get('fedsvd.run')).toBe(runId)
    const { clients } = await coordinator.snapshot(runId)
    const spent = run!.metrics.filter(({ key }) => key === 'epsilon/north').map(({ value }) => value)
    expect(spent).toHaveLength(2)
    expect(spent[1]).toBe(clients[0]!.epsilonUpperBound)
    expect(spent[0]).toBeLessThan(spent[1]!)
    expect([...server.artifacts.keys()].map((path) => path.split('/').slice(2).join('/')).toSorted()).toEqual([
      'artifacts/adapter/adapter_config.json',
      'artifacts/adapter/adapter_model.safetensors',
    ])
    const sent = server.received.join('\n')
    for (const secret of [coordinator.operatorToken, clients[0]!.clientId]) expect(sent).not.toContain(secret)
    await until('the event files', async () => (await readdir(folder.path)).includes(`test-run-${runId}`))
  })

  it('that do not answer keep no round and no end of the coordinator waiting', async () => {
    await using server = await mlflowDouble()
    server.fault = 'hangs'
    await using coordinator = await testCoordinator({ mlflowUrl: server.url })
    const runId = await runTwoRounds(coordinator)
    expect((await coordinator.snapshot(runId)).roundsDone).toBe(2)
  })
})
