import { closeSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fingerprinter } from '@fedsvd/engine/datasets'
import { bundleProgram, startProcess } from '@fedsvd/testing/client/process-of-a-site'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterAll, beforeAll, expect, it } from 'vitest'

/*
 * A data set that is larger than the heap of the process that trains on it. FEDSVD_LARGE_MB sets how large (48 by
 * default; `npm run test:large -w apps/client` makes it 1000).
 */
const MEGABYTES = Number(process.env.FEDSVD_LARGE_MB ?? 48)
const HEAP_MEGABYTES = 24
const RECORD_BYTES = 8000
const RECORDS = Math.ceil((MEGABYTES * 1e6) / RECORD_BYTES)

const folder = temporaryFolder()
const file = join(folder.path, 'large.jsonl')
let script = ''
let fingerprint = ''

beforeAll(async () => {
  script = await bundleProgram('large-site', `large-site-${process.pid}`)
  const filler = 'a text that nobody reads '.repeat(RECORD_BYTES / 25)
  const fd = openSync(file, 'w')
  using fingerprinter = new Fingerprinter(folder.path)
  for (let n = 0; n < RECORDS; n += 1) {
    const record = { text: `${n} ${filler}`, label: n % 3 === 0 ? 'spam' : 'ham' }
    fingerprinter.add(record)
    writeSync(fd, `${JSON.stringify(record)}\n`)
  }
  closeSync(fd)
  fingerprint = fingerprinter.finish()
}, 600_000)
afterAll(() => {
  rmSync(script, { force: true })
  folder[Symbol.dispose]()
})

const run = (mode: 'stream' | 'all', stateDir: string) =>
  startProcess(script, [mode, file, stateDir], { NODE_OPTIONS: `--max-old-space-size=${HEAP_MEGABYTES}` }).ended

it('is named, encoded and trained on in a heap that it does not fit into', async () => {
  expect(statSync(file).size).toBeGreaterThan(1.8 * HEAP_MEGABYTES * 2 ** 20)
  const stateDir = join(folder.path, 'state')
  const { code, wrote, said } = await run('stream', stateDir)
  expect({ code, said }).toMatchObject({ code: 0 })
  const { lots, seen, ...named } = JSON.parse(wrote) as { lots: number[]; seen: number }
  expect(named).toEqual({ records: RECORDS, fingerprint })
  expect(lots[1]).toBe(RECORDS)
  expect(seen).toBe(lots[0]! + RECORDS)
  const stores = readdirSync(join(stateDir, 'encoded', fingerprint))
  expect(stores).toHaveLength(1)
  expect(statSync(join(stateDir, 'encoded', fingerprint, stores[0]!)).size).toBeLessThan(statSync(file).size / 10)
}, 600_000)

it('that heap is a limit: all records at once do not fit', async () => {
  const { code, wrote } = await run('all', folder.path)
  expect(code).not.toBe(0)
  expect(wrote).toBe('')
}, 600_000)
