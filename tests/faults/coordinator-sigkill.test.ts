import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../../packages/core/src/errors.ts'
import type { Invitation, RunManifest, RunSnapshot } from '../../packages/core/src/protocol/index.ts'
import {
  enrolClients,
  expectedAdapter,
  type FakeClient,
  freshDatabase,
  get,
  placeEmbeddedDatabase,
  post,
  postgresAnswers,
  startCoordinatorProcess,
  temporaryFolder,
  tinyRequest,
  until,
} from '../../packages/testing/src/server/index.ts'

/*
 * A process that kills itself with SIGKILL at the n-th call to its database, and another one on what it left. The same
 * sweep in one process, where it is cheap, is apps/server/src/runs/crash.slow.test.ts; this one shows that a death
 * there is a death. `npm run test:faults -w apps/server` tries every call, or as many as FEDSVD_FAULTS says; with
 * FEDSVD_SHARD=2/3 every third one, beginning with the second, so that a sweep can be divided among processes.
 */
const { FEDSVD_FAULTS: SIZE = '1', FEDSVD_SHARD: SHARD = '1/1' } = process.env
const EVERY = SIZE === 'all'
const [shard, shards] = SHARD.split('/').map(Number) as [number, number]
const ROUNDS = 2
const PATIENCE_MS = 120_000
/** About as many calls as such a run makes. */
const USUAL_CALLS = 50

const DATABASES: readonly [string, boolean][] = [
  ['PGlite', true],
  ['PostgreSQL', await postgresAnswers()],
]

/** Sends its update until it is answered for good, as a client does; the coordinator may be gone for a while. */
async function persistently(client: FakeClient, invitation: Invitation): Promise<void> {
  for (;;) {
    try {
      const reply = await client.upload(invitation)
      client.uploads.push({ round: invitation.round, reply })
      return
    } catch (error) {
      if (isFedsvdError(error) && error.httpStatus < 500) return
      if (!(error instanceof TypeError) && !isFedsvdError(error)) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Runs until the process has killed itself or the run is over, then to its end; undefined when nothing was killed. */
async function killedAt(atCall: number, when: 'before' | 'after', database: string): Promise<string[] | undefined> {
  await using folder = await temporaryFolder()
  if (database === 'PGlite') await placeEmbeddedDatabase(folder.path)
  await using postgres = database === 'PostgreSQL' ? await freshDatabase() : undefined
  const settings = { port: 0, stateDir: folder.path, logLevel: 'silent', gatherSeconds: 60 } as const
  const place = { ...settings, ...(postgres && { databaseUrl: postgres.url }) }
  let runId: string
  let port: number
  let clients: FakeClient[]
  {
    await using first = await startCoordinatorProcess(place)
    port = Number(new URL(first.url).port)
    clients = await enrolClients(first.url, first.operatorToken, 3, { train: persistently })
    const request = tinyRequest({ rounds: ROUNDS })
    ;({ runId } = await post<RunManifest>(first.url, '/v1/runs', request, first.operatorToken))
  }
  const died = await lifeOf(startCoordinatorProcess({ ...place, port }, { atCall, when }), clients, runId)
  await using last = await startCoordinatorProcess({ ...place, port })
  await Promise.all(clients.map((client) => client.connect()))
  const snapshot = await until('the end', () => completed(last, runId), PATIENCE_MS)
  for (const client of clients) client.disconnect()
  if (!died) return undefined
  const faults: string[] = []
  if (snapshot.adapter !== expectedAdapter(snapshot, clients)) faults.push('an update was lost or counted twice')
  for (const { name, steps } of snapshot.clients)
    if (steps !== 2 * ROUNDS) faults.push(`${name} paid for ${steps} steps`)
  if (snapshot.rounds.some(({ clients: counted }) => counted.length !== 3)) faults.push('a client is out')
  return faults.map((fault) => `SIGKILL ${when} call ${atCall} on ${database}: ${fault}`)
}

type Process = Awaited<ReturnType<typeof startCoordinatorProcess>>

async function completed({ url, operatorToken }: Process, runId: string): Promise<RunSnapshot | false> {
  const seen = await get<RunSnapshot>(url, `/v1/runs/${runId}`, operatorToken)
  return seen.state === 'completed' && seen
}

/** True when the process killed itself before the run was over. */
async function lifeOf(starting: Promise<Process>, clients: readonly FakeClient[], runId: string): Promise<boolean> {
  const started = await starting.catch(() => undefined) // it may die before it listens
  if (started === undefined) return true
  await using process = started
  let isDead = false
  void process.ended.then(() => {
    isDead = true
  })
  for (const client of clients) await client.connect().catch(() => {})
  await until(
    'a death or an end',
    async () => isDead || (await completed(process, runId).catch(() => false)),
    PATIENCE_MS,
  )
  for (const client of clients) client.disconnect()
  return isDead
}

for (const [database, isAvailable] of DATABASES) {
  describe.skipIf(!isAvailable)(`a coordinator on ${database} that is killed at any call to its database`, () => {
    it('finishes the same run with each update counted once, and no client charged twice', {
      timeout: 7_200_000,
    }, async () => {
      const faults: string[] = []
      const deaths = EVERY ? Number.POSITIVE_INFINITY : Number(SIZE)
      const step = EVERY ? 1 : Math.ceil(USUAL_CALLS / (deaths + 1))
      let killed = 0
      for (let turn = shard, isOver = false; turn <= deaths && !isOver; turn += shards) {
        for (const when of EVERY ? (['before', 'after'] as const) : (['after'] as const)) {
          const found = await killedAt(turn * step, when, database)
          if (found === undefined) isOver = true
          else killed += 1
          faults.push(...(found ?? []))
        }
        // A sweep takes half an hour: what it has found is not lost with it.
        if (EVERY)
          console.info(`${database}: killed ${killed} times, up to call ${turn}; faults: ${faults.length}`, faults)
      }
      expect(faults).toEqual([])
      expect(killed).toBeGreaterThan(0)
    })
  })
}
