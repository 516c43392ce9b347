import { ELSEWHERE, mlflowDouble } from '@fedsvd/testing/server/mlflow-double'
import { trackedRun } from '@fedsvd/testing/server/tracked-run'
import { describe, expect, it } from 'vitest'
import { TrackerRefused } from '../tracker.ts'
import { artifactRoot } from './artifacts.ts'
import { type MlflowOptions, mlflowTracker } from './tracker.ts'

const signal = new AbortController().signal

function trackerAt(url: string, changes: Partial<MlflowOptions> = {}) {
  return mlflowTracker({ url, experiment: 'ours', namesSites: true, version: '1.2.3', timeoutMs: 5000, ...changes })
}

describe('MLflow', () => {
  it('is told of each figure once, at the number and the time of its round, and of how the run ended', async () => {
    await using server = await mlflowDouble('Bearer secret-token')
    const tracker = trackerAt(server.url, { token: 'secret-token' })
    const { facts, publish, measure, end } = trackedRun()
    publish()
    await tracker.bring(facts(), signal)
    measure(0, { accuracy: 0.5, loss: 0.75 }) // comes later than the round itself
    publish({ accuracy: 0.625, loss: 0.5 })
    await tracker.bring(facts(), signal)
    await tracker.bring(facts(), signal)
    end('completed')
    await tracker.bring(facts(), signal)
    const [run] = server.runs
    expect(server.experiments).toEqual(new Map([['ours', '1']]))
    expect(server.runs).toHaveLength(1)
    expect(run).toMatchObject({ name: 'spam filter', startTime: 1000, status: 'FINISHED', endTime: 121_000 })
    const of = (key: string) => run!.metrics.filter((metric) => metric.key === key)
    expect(of('accuracy')).toEqual([
      { key: 'accuracy', value: 0.5, timestamp: 61_000, step: 1 },
      { key: 'accuracy', value: 0.625, timestamp: 121_000, step: 2 },
    ])
    for (const key of ['loss', 'round_seconds', 'sites_counted', 'epsilon_highest', 'epsilon/north', 'epsilon/south'])
      expect(of(key)).toHaveLength(2)
    expect(run!.params.get('target.epsilon')).toBe('8')
    expect(run!.params.get('labels')).toBe('ham, spam')
    expect(Object.fromEntries(run!.tags)).toMatchObject({ 'fedsvd.run': facts().runId, 'fedsvd.version': '1.2.3' })
  })

  it('is told after a restart of what it does not have, and its run is found again', async () => {
    await using server = await mlflowDouble('Basic YWRhOnB3') // ada:pw
    const { facts, publish, asked } = trackedRun()
    publish({ accuracy: 0.5, loss: 0.75 })
    const access = { user: 'ada', token: 'pw' }
    await trackerAt(server.url, access).bring(facts(), signal)
    publish({ accuracy: 0.625, loss: 0.5 })
    await trackerAt(server.url, access).bring(facts(), signal)
    await trackerAt(server.url, access).bring(facts(), signal)
    expect(server.runs).toHaveLength(1)
    const metrics = server.runs[0]!.metrics.map(({ key, step }) => `${key} ${step}`)
    expect(new Set(metrics).size).toBe(metrics.length)
    expect(metrics).toHaveLength(2 * 7)
    expect(asked()).toBe(2) // epsilon of a round that is told already is not computed again
  })

  it('names no site unless told to, and takes names of any letters', async () => {
    await using server = await mlflowDouble()
    const { facts, publish } = trackedRun({ lastSite: '../Klinik Süd: 1' })
    publish()
    await trackerAt(server.url, { namesSites: false }).bring(facts(), signal)
    expect(server.received.join('\n')).not.toMatch(/north|Klinik/)
    await trackerAt(server.url).bring(facts(), signal)
    publish()
    await trackerAt(server.url).bring(facts(), signal)
    const keys = new Set(server.runs[0]!.metrics.map(({ key }) => key))
    expect([...keys].filter((key) => key.startsWith('epsilon/')).toSorted()).toEqual([
      expect.stringMatching(/^epsilon\/___Klinik S_d_ 1-[0-9a-f]{8}$/),
      'epsilon/north',
    ])
  })

  it('has one run where two coordinators made one each, and none again where somebody deleted it', async () => {
    await using server = await mlflowDouble()
    const { facts, publish } = trackedRun()
    const here = trackerAt(server.url)
    await here.bring(facts(), signal)
    // Made by the other one between the search of this one and its own.
    const theirs = { ...server.runs[0]!, id: '0'.repeat(32), metrics: [], params: new Map() }
    server.runs.push(theirs)
    publish()
    await here.bring(facts(), signal)
    await trackerAt(server.url).bring(facts(), signal)
    expect(server.runs.map(({ isDeleted }) => isDeleted)).toEqual([true, false])
    expect(theirs.params.size).toBeGreaterThan(10)
    expect(server.runs[1]!.metrics.filter(({ key }) => key === 'round_seconds')).toHaveLength(1)
    expect(server.runs.filter(({ isDeleted }) => !isDeleted)).toHaveLength(1)
    for (const run of server.runs) run.isDeleted = true
    const before = server.runs.length
    await expect(trackerAt(server.url).bring(facts(), signal)).rejects.toThrow(TrackerRefused)
    expect(server.runs).toHaveLength(before)
  })

  it('that answers wrongly, endlessly, not at all or from elsewhere is an error that waits, and sends no secret on', async () => {
    await using server = await mlflowDouble()
    const { facts } = trackedRun()
    for (const fault of ['error-500', 'garbage', 'endless', 'redirects', 'hangs'] as const) {
      server.fault = fault
      const bringing = trackerAt(server.url, { token: 'secret', timeoutMs: 300 }).bring(facts(), signal)
      await expect(bringing, fault).rejects.toThrow()
      await expect(bringing, fault).rejects.not.toThrow(TrackerRefused)
    }
    expect(server.requests.filter((request) => request.endsWith(ELSEWHERE))).toEqual([])
    server.fault = undefined
    await trackerAt(server.url).bring(facts(), signal)
    expect(server.runs).toHaveLength(1)
  })

  it('with a wrong token is an error that waits: the token may be mended there', async () => {
    await using server = await mlflowDouble('Bearer right')
    const bringing = trackerAt(server.url, { token: 'wrong' }).bring(trackedRun().facts(), signal)
    await expect(bringing).rejects.toThrow(/HTTP 401/)
    await expect(bringing).rejects.not.toThrow(TrackerRefused)
    await expect(bringing).rejects.not.toThrow(/wrong/)
  })

  it('stores artifacts of a run that is over once, and where it keeps them itself alone', async () => {
    await using server = await mlflowDouble()
    const { facts, end } = trackedRun()
    const artifactsOf = async () => ({
      sha256: 'abc',
      files: async () => new Map([['adapter/a b.bin', Buffer.from('x')]]),
    })
    await trackerAt(server.url, { artifactsOf }).bring(facts(), signal)
    expect(server.artifacts.size).toBe(0)
    end('stopped')
    await trackerAt(server.url, { artifactsOf }).bring(facts(), signal)
    await trackerAt(server.url, { artifactsOf }).bring(facts(), signal)
    const { id } = server.runs[0]!
    expect([...server.artifacts.keys()]).toEqual([`1/${id}/artifacts/adapter/a b.bin`])
    expect(server.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(1)
    expect(artifactRoot('mlflow-artifacts:/1/2/artifacts')).toBe('1/2/artifacts')
    for (const uri of ['s3://bucket/1', 'mlflow-artifacts://elsewhere/1', 'mlflow-artifacts:/../1', '/mlruns/1', ''])
      expect(() => artifactRoot(uri), uri).toThrow(TrackerRefused)
  })
})
