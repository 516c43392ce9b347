import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CoordinatorDouble } from '@fedsvd/testing/client/coordinator-double'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { startSite } from '@fedsvd/testing/client/running-site'
import { BUDGET, RUN_B, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, expect, it, vi } from 'vitest'
import { readLedger } from './ledger/index.ts'
import { makeOwnerKey } from './owner/owner-key.ts'
import { signStatement } from './owner/statement.ts'

afterEach(() => void vi.useRealTimers())

it('a budget is renewed on its day while the client runs, and pays for a run that it could not pay for before', async () => {
  using folder = temporaryFolder()
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-06-30T12:00:00Z') })
  const file = join(folder.path, 'renewal.json')
  const draft = { kind: 'renewal' as const, budget: 'site', from: '2026-07-01', ...BUDGET }
  const owner = makeOwnerKey(join(folder.path, 'owner-key.pem'))
  writeFileSync(file, JSON.stringify(signStatement({ ...draft, at: new Date().toISOString() }, owner)))
  const double = new CoordinatorDouble()
  await using site = await startSite({ folder: folder.path, transport: loopbackTransport(double), renewals: [file] })
  const peer = await double.peer()
  const [first, second] = [sampleManifest({ rounds: 1 }), sampleManifest({ rounds: 1, runId: RUN_B })]
  await peer.offer(first)
  await peer.invite(double.invitation(first, 0))
  await site.told('round-delivered')
  expect(await peer.offer(second)).toMatchObject({ accepted: false, error: { code: 'BUDGET_TOO_SMALL' } })
  vi.setSystemTime(new Date('2026-07-01T00:00:00Z'))
  expect(await peer.offer(second)).toMatchObject({ accepted: true, terms: { budget: BUDGET } })
  expect(await site.told('budget-renewed')).toMatchObject({ from: '2026-07-01', budget: BUDGET })
  await peer.invite(double.invitation(second, 0))
  await site.told('round-delivered', 2)
  const { state } = readLedger(join(folder.path, 'state', 'ledgers', 'site.jsonl'))
  expect(state!.attempts).toHaveLength(2)
  expect(state!.periods).toMatchObject([{ from: '2026-07-01', given: BUDGET, attempts: 1 }])
})
