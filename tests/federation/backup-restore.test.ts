import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { restoreBackup } from '../../apps/server/src/backup/restore-backup.ts'
import { takeBackup } from '../../apps/server/src/backup/take-backup.ts'
import { type CoordinatorSettings, completeConfig, startCoordinator } from '../../apps/server/src/index.ts'
import { eventOfRound } from '../../packages/core/src/accounting/index.ts'
import type { AuditEntry, RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import { testCoordinator } from '../../packages/testing/src/server/coordinator.ts'
import { placeEmbeddedDatabase } from '../../packages/testing/src/server/embedded-template.ts'
import { enrolClients, FakeClient, get, post, trainAndUpload } from '../../packages/testing/src/server/fake-client.ts'
import { temporaryFolder } from '../../packages/testing/src/server/temporary-folder.ts'
import { tinyModels, tinyRequest } from '../../packages/testing/src/server/tiny-model.ts'
import { until } from '../../packages/testing/src/server/until.ts'

let home: Awaited<ReturnType<typeof temporaryFolder>>
const at = (...names: string[]) => path.join(home.path, ...names)
const settings = (stateDir: string): CoordinatorSettings => ({
  port: 0,
  stateDir,
  logLevel: 'silent',
  gatherSeconds: 0.2,
  graceSeconds: 0,
})
const start = (stateDir: string) => startCoordinator(settings(stateDir), { models: tinyModels })
const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).map((entry) =>
    path.join(entry.parentPath, entry.name),
  )

let runId: string
let clients: FakeClient[]
let unused: string
/** State folder, backup of a running coordinator in the middle of a round, and of the same one at rest. */
const [STATE, RUNNING, RESTING] = ['state', 'running', 'resting'] as const

beforeAll(async () => {
  home = await temporaryFolder()
  await placeEmbeddedDatabase(at(STATE))
  await using coordinator = await start(at(STATE))
  const { url, operatorToken } = coordinator
  const hold = { round: 1 }
  const train = async (client: FakeClient, invitation: Parameters<typeof trainAndUpload>[1]) => {
    if (invitation.round < hold.round || client === clients[0]) await trainAndUpload(client, invitation)
  }
  clients = await enrolClients(url, operatorToken, 2, { train })
  ;[unused] = (
    await post<{ tokens: [string] }>(url, '/v1/enrolment-tokens', { count: 1, expiresInSeconds: 3600 }, operatorToken)
  ).tokens
  runId = (
    await post<{ runId: string }>(
      url,
      '/v1/runs',
      tinyRequest({ clientsPerRound: 2, quorum: 2, rounds: 3 }),
      operatorToken,
    )
  ).runId
  for (const client of clients) await client.connect()
  await until('one update of round 1', () => clients[0]!.uploads.some(({ round }) => round === 1))
  const report = await takeBackup(completeConfig(settings(at(STATE))), at(RUNNING))
  expect(report).toMatchObject({ whileRunning: true, secrets: ['operator.token', 'statement.key'] })
  await mkdir(at('no-objects'))
  const without = completeConfig({ ...settings(at(STATE)), blobs: at('no-objects') })
  await expect(takeBackup(without, at('without'))).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
  expect(existsSync(at('without'))).toBe(false)
  for (const client of clients) client.disconnect()
}, 120_000)
afterAll(() => home[Symbol.asyncDispose]())

describe('a backup', () => {
  it('holds states, the update that waits, rows and secrets, for its owner only, and leaves nothing in the state folder', async () => {
    const files = await filesIn(at(RUNNING))
    for (const file of files) expect((await stat(file)).mode & 0o077, file).toBe(0)
    const names = files.map((file) => path.relative(at(RUNNING), file))
    expect(names.filter((name) => /^objects\/..\/[0-9a-f]{64}$/.test(name))).toHaveLength(3) // two states and an update
    expect(names).not.toContain('upload.secret')
    expect((await readdir(at(STATE))).filter((name) => /^backup-|control/.test(name))).toEqual([])
    expect((await readdir(home.path)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('of a coordinator at rest is the same, and changes nothing', async () => {
    const { whileRunning, rows, objects } = await takeBackup(completeConfig(settings(at(STATE))), at(RESTING))
    expect({ whileRunning, objects }).toEqual({ whileRunning: false, objects: 3 })
    expect(rows).toBeGreaterThan(10)
  }, 60_000)

  it('is refused over something, of nothing, and with PostgreSQL', async () => {
    const take = (state: string, to: string, more: CoordinatorSettings = {}) =>
      takeBackup(completeConfig({ ...settings(at(state)), ...more }), at(to))
    await expect(take(STATE, RUNNING)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' })
    await expect(take(STATE, `${STATE}/backup`)).rejects.toThrow(
      /CONFIG_INVALID: expected a folder outside the state folder/,
    )
    await expect(take('nowhere', 'of-nothing')).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(existsSync(at('nowhere'))).toBe(false)
    await expect(take(STATE, 'pg', { databaseUrl: 'postgresql://localhost/x' })).rejects.toThrow(
      /CONFIG_INVALID.*back-up-and-restore/,
    )
  }, 60_000)
})

describe('a restore', () => {
  it('resumes where the backup was made: each update counts once, no client is charged less, old tokens are invalid', async () => {
    const { openRuns } = await restoreBackup(at(RUNNING), at('restored'))
    expect(openRuns).toBe(1)
    await using coordinator = await start(at('restored'))
    const { url, operatorToken } = coordinator
    expect(operatorToken).toBe((await readFile(at(STATE, 'operator.token'), 'utf8')).trim())
    await expect(FakeClient.enrol(url, unused, 'late')).rejects.toMatchObject({ code: 'TOKEN_INVALID' })
    const again = clients.map(({ identity }) => new FakeClient(url, identity))
    for (const client of again) await client.connect()
    const ended = await until('the end', async () => {
      const snapshot = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
      return snapshot.state === 'completed' && snapshot
    })
    expect(ended.alerts.map(({ code }) => code)).toContain('COORDINATOR_RESTORED')
    const { rounds } = await get<{ rounds: { received: number }[] }>(url, `/v1/runs/${runId}/rounds`, operatorToken)
    expect(rounds.map(({ received }) => received)).toEqual([2, 2, 2])
    expect(again[0]!.invitations.map(({ round }) => round)).toEqual([2]) // its update of round 1 was in the backup
    expect((await get<{ intact: boolean }>(url, '/v1/audit-log/verify', operatorToken)).intact).toBe(true)
    const log = await get<{ entries: AuditEntry[] }>(url, '/v1/audit-log?limit=1000', operatorToken)
    expect(log.entries.map(({ action }) => action)).toContain('coordinator.restore')
    for (const client of again) client.disconnect()
  }, 120_000)

  const damage: Record<string, (folder: string) => Promise<unknown>> = {
    'a row is another': async (folder) => {
      const file = path.join(folder, 'database.rows')
      await writeFile(file, (await readFile(file, 'utf8')).replace('site 0', 'site 9'))
    },
    'rows are cut off': async (folder) => truncate(path.join(folder, 'database.rows'), 100),
    'an object is gone': async (folder) =>
      rm((await filesIn(path.join(folder, 'objects'))).find((file) => /[0-9a-f]{64}$/.test(file))!),
    'an object has other bytes': async (folder) =>
      writeFile((await filesIn(path.join(folder, 'objects'))).find((file) => /[0-9a-f]{64}$/.test(file))!, 'other'),
    'a secret is another': (folder) => writeFile(path.join(folder, 'operator.token'), 'another token of many letters'),
    'the list is another': async (folder) => {
      const file = path.join(folder, 'backup.json')
      await writeFile(file, (await readFile(file, 'utf8')).replace('"createdAt": "2', '"createdAt": "1'))
    },
    'the list is gone': (folder) => rm(path.join(folder, 'backup.json')),
  }
  it('makes nothing of a backup that is not whole', async () => {
    for (const [what, harm] of Object.entries(damage)) {
      await cp(at(RUNNING), at('damaged'), { recursive: true })
      await harm(at('damaged'))
      await expect(restoreBackup(at('damaged'), at('of-damaged')), what).rejects.toMatchObject({
        code: 'BACKUP_INVALID',
      })
      expect(existsSync(at('of-damaged')), what).toBe(false)
      await rm(at('damaged'), { recursive: true })
    }
  }, 60_000)

  it('is refused over something, and of a newer release, by name', async () => {
    await expect(restoreBackup(at(RUNNING), at(STATE))).rejects.toMatchObject({ code: 'FOLDER_IN_USE' })
    await cp(at(RUNNING), at('newer'), { recursive: true })
    const file = at('newer', 'backup.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace('"format": 1', '"format": 2'))
    await expect(restoreBackup(at('newer'), at('of-newer'))).rejects.toThrow(/WRITTEN_BY_NEWER.*format 2.*Upgrade/)
  })
})

describe('a coordinator that was restored to a round before those that a site has made', () => {
  it('charges what the site has spent, and tells operators', async () => {
    await using coordinator = await testCoordinator()
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 5 })
    const client = await coordinator.client('north')
    await client.connect()
    await coordinator.seen(runId, 'the client in the run', (snapshot) => snapshot.clients.length === 1)
    const manifest = client.manifests.get(runId)!
    const event = eventOfRound(manifest, client.termsFor(manifest))
    const reservations = [0, 1, 2].map((round) => ({ round, attempt: 1, event }))
    expect(await client.report({ runId, reservations })).toEqual({ agrees: true })
    const { alerts } = await coordinator.seen(runId, 'the alert', (snapshot) => snapshot.alerts.length > 0)
    const message = expect.stringContaining(`${2 * manifest.localSteps} steps of rounds that have not begun`)
    expect(alerts).toMatchObject([{ code: 'ROUNDS_AHEAD', clientId: client.clientId, message }])
    await client.report({ runId, reservations }) // said once
    expect((await coordinator.snapshot(runId)).alerts).toHaveLength(1)
  })
})
