import path from 'node:path'
import {
  callsOfAWholeRun,
  crashAndRecover,
  faultsOf,
  freshDatabase,
  lostOrTwice,
  placeEmbeddedDatabase,
  postgresAnswers,
  temporaryFolder,
} from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import { openEmbeddedStore } from '../storage/records/embedded/index.ts'
import type { Store } from '../storage/records/index.ts'
import { openPostgresStore } from '../storage/records/postgres/index.ts'

/*
 * The sweep of crash.test.ts on the databases that a coordinator really has. Here the calls that a dead process has
 * begun may still have their effect while the next one starts, as with a database that outlives its client. By itself
 * the suite tries a few deaths; `npm run test:faults -w apps/server` tries them all, or as many as FEDSVD_FAULTS says.
 */
const { FEDSVD_FAULTS: SIZE = '3' } = process.env
const EVERY = SIZE === 'all'

const DATABASES: readonly [string, boolean, () => Promise<readonly [Store, AsyncDisposable]>][] = [
  [
    'PGlite',
    true,
    async () => {
      const folder = await temporaryFolder()
      await placeEmbeddedDatabase(folder.path)
      return [await openEmbeddedStore(path.join(folder.path, 'database'), () => {}), folder]
    },
  ],
  [
    'PostgreSQL',
    await postgresAnswers(),
    async () => {
      const database = await freshDatabase()
      return [await openPostgresStore(database.url), database]
    },
  ],
]

const MODES = [
  ['round by round', {}],
  ['in buffers', { mode: { name: 'buffered', bufferSize: 2, stalenessExponent: 0.5 }, clientsPerRound: 3 }],
] as const

for (const [database, isAvailable, open] of DATABASES) {
  describe.skipIf(!isAvailable)(`a coordinator on ${database} that dies at any of its awaits`, () => {
    it.each(MODES)(
      'finishes the same run with each update counted once, %s',
      { timeout: 3_600_000 },
      async (_, changes) => {
        const [opened, place] = await open()
        await using _place = place
        await using store = opened
        const calls = (await callsOfAWholeRun(changes, store)) - 4 // the last few come after the run has ended
        expect(calls).toBeGreaterThan(20)
        const faults: string[] = []
        const deaths = EVERY ? calls : Number(SIZE)
        for (let turn = 1; turn <= deaths; turn += 1) {
          const atCall = Math.max(1, Math.round((turn * calls) / deaths))
          for (const when of EVERY || turn % 2 === 0 ? (['before', 'after'] as const) : (['after'] as const)) {
            const recovery = await crashAndRecover({ atCall, when }, changes, store)
            const found = [...faultsOf(recovery), ...lostOrTwice(recovery)]
            faults.push(...found.map((fault) => `death ${when} call ${atCall}: ${fault}`))
          }
        }
        expect(faults).toEqual([])
      },
    )
  })
}
