import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { expect, it } from 'vitest'
import { eventLog, readEventLog } from './index.ts'

const now = () => new Date('2026-03-01T09:00:00Z')
const RUN = '11111111-1111-4111-8111-111111111111'

it('keeps what a client tells, but for counts that follow from its records', () => {
  using folder = temporaryFolder()
  const log = eventLog(folder.path, 'site', now)
  const place = { runId: RUN, round: 0, step: 1, steps: 5 }
  log({ event: 'step', ...place, records: 17, leftOut: 2, seconds: 3 })
  log({ event: 'part', ...place, done: 1, of: 17 })
  log({ event: 'declared', declaredRecords: 100, records: 103 })
  log({ event: 'disconnected', reason: 'dropped' })
  const at = '2026-03-01T09:00:00.000Z'
  expect(readEventLog(folder.path, 'site')).toEqual([
    { at, event: 'step', ...place, seconds: 3 },
    { at, event: 'disconnected', reason: 'dropped' },
  ])
  expect(statSync(join(folder.path, 'log', 'site.jsonl')).mode & 0o077).toBe(0)
  expect(readEventLog(folder.path, 'trial')).toEqual([])
})

it('stays short, and a log that cannot be written or read stops nothing', () => {
  using folder = temporaryFolder()
  const log = eventLog(folder.path, 'site', now)
  log({ event: 'disconnected', reason: 'first' })
  for (let n = 0; n < 30; n += 1) log({ event: 'disconnected', reason: 'x'.repeat(100_000) })
  const bytes = readdirSync(join(folder.path, 'log')).map((file) => statSync(join(folder.path, 'log', file)).size)
  expect(bytes).toHaveLength(2)
  expect(Math.max(...bytes)).toBeLessThan(1.2 * 2 ** 20)
  expect(readEventLog(folder.path, 'site').length).toBeLessThan(25)
  rmSync(join(folder.path, 'log'), { recursive: true })
  writeFileSync(join(folder.path, 'log'), 'no folder')
  log({ event: 'disconnected', reason: 'lost' })
  rmSync(join(folder.path, 'log'))
  log({ event: 'disconnected', reason: 'kept' })
  writeFileSync(join(folder.path, 'log', 'site.jsonl'), '{"at":"torn', { flag: 'a' })
  expect(readEventLog(folder.path, 'site')).toMatchObject([{ reason: 'kept' }])
})
