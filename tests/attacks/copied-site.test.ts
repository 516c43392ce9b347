import { createHash, randomUUID } from 'node:crypto'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadIdentity, rememberEnrolment } from '../../apps/client/src/identity/identity.ts'
import { coordinatorKey } from '../../apps/client/src/transport/address.ts'
import { networkTransport } from '../../apps/client/src/transport/index.ts'
import type { RunManifest } from '../../packages/core/src/protocol/index.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { type TemporaryFolder, temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { testCluster } from '../../packages/testing/src/server/cluster.ts'
import { type TestCoordinator, testCoordinator } from '../../packages/testing/src/server/coordinator.ts'
import { post } from '../../packages/testing/src/server/fake-client.ts'
import { until } from '../../packages/testing/src/server/until.ts'

/*
 * A state folder on two machines: copied, cloned with its virtual machine, or restored from a snapshot. Each copy could
 * draw noise of its own for what was paid for once.
 */
let folder: TemporaryFolder
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder[Symbol.dispose]())

const here = (host: string) => {
  mkdirSync(join(folder.path, host), { recursive: true })
  return join(folder.path, host)
}
const copyState = (from: string, to: string) =>
  cpSync(join(here(from), 'state'), join(here(to), 'state'), { recursive: true })
const keyFile = (state: string, url: string) =>
  join(state, `client-key-${createHash('sha256').update(coordinatorKey(url)).digest('hex').slice(0, 16)}.pem`)
const start = (host: string, url: string, options: Partial<Parameters<typeof startSite>[0]> = {}) =>
  startSite({ folder: here(host), transport: networkTransport(url), declaredRecords: 100, ...options })
const alone = { clientsPerRound: 1, quorum: 1, rounds: 2 }

describe('a state folder on two hosts', () => {
  let coordinator: TestCoordinator
  beforeEach(async () => {
    coordinator = await testCoordinator()
  })
  afterEach(() => coordinator[Symbol.asyncDispose]())
  const alerts = async ({ runId }: RunManifest) => (await coordinator.snapshot(runId)).alerts.map(({ code }) => code)

  it('at once: the second is refused and stops, the first goes on, and operators are told', async () => {
    const run = await coordinator.createRun({ clientsPerRound: 2, quorum: 2 })
    await using first = await start('first', coordinator.url, { enrolmentToken: await coordinator.enrolment() })
    const { clientId } = await first.told('connected')
    const isIn = async () => (await coordinator.store.participants.ofClient(clientId)).length > 0
    await until('the first host takes part', isIn)
    copyState('first', 'second')
    await expect(start('second', coordinator.url)).rejects.toThrow(/CLIENT_CONNECTED.*a second one/)
    expect(first.events.filter(({ event }) => event === 'disconnected')).toEqual([])
    expect(await alerts(run)).toContain('CLIENT_CONNECTED')
  })

  it('one after the other: a copy from before a round does not train, and its ledger is what operators are told of', async () => {
    const run = await coordinator.createRun(alone)
    let hold = true
    {
      await using first = await start('first', coordinator.url, {
        enrolmentToken: await coordinator.enrolment(),
        onLot: () => {
          if (hold) copyState('first', 'second')
          hold = false
        },
      })
      await first.told('round-delivered')
      await first.told('run-ended')
    }
    await expect(start('second', coordinator.url)).rejects.toThrow(/LEDGER_MISMATCH.*entries/)
    expect((await coordinator.store.clients.list())[0]!.ledger!.length).toBeGreaterThan(5)
    expect((await coordinator.snapshot(run.runId)).state).toBe('completed')
  })

  it('a snapshot from the middle of a round, restored after its update left, makes no second noise of it', async () => {
    const run = await coordinator.createRun({ ...alone, rounds: 3 })
    let lots = 0
    {
      await using first = await start('first', coordinator.url, {
        enrolmentToken: await coordinator.enrolment(),
        onLot: () => {
          lots += 1
          if (lots === 2) copyState('first', 'second') // round 0 has two steps
        },
      })
      await first.told('round-delivered')
    }
    await expect(start('second', coordinator.url)).rejects.toThrow('LEDGER_MISMATCH')
    expect(await alerts(run)).toContain('LEDGER_MISMATCH')
    await using again = await start('first', coordinator.url)
    expect(await again.told('run-ended')).toMatchObject({ state: 'completed' })
  })

  it('a host that was lost without closing its connection does not keep its successor out', async () => {
    const client = await coordinator.client('gone')
    const connect = async () => client.connect({ ...(await client.handshake()), instance: randomUUID() })
    await connect()
    const gone = client.socket // it is connected, and does not answer when it is asked whether it is there
    await connect()
    await until('the end of the first connection', () => gone?.connected === false)
    expect(client.socket?.connected).toBe(true)
  })
})

describe('a state folder on two hosts, each at another coordinator of one database', () => {
  it('is refused at the second', async () => {
    await using cluster = await testCluster()
    const [one, two] = await Promise.all([cluster.start(), cluster.start()])
    await cluster.createRun(one, { clientsPerRound: 2, quorum: 2 })
    const asked = { count: 1, expiresInSeconds: 60 }
    const { tokens } = await post<{ tokens: [string] }>(one.url, '/v1/enrolment-tokens', asked, cluster.operatorToken)
    await using first = await start('first', one.url, { enrolmentToken: tokens[0] })
    await first.told('joined')
    const { clientId } = await first.told('connected')
    copyState('first', 'second')
    const state = join(here('second'), 'state')
    loadIdentity(state, two.url) // a key of its own, in whose place the copier puts the one that the database knows
    const [known, own] = [one, two].map(({ url }) => keyFile(state, url))
    cpSync(known!, own!)
    rememberEnrolment(state, two.url, clientId)
    await expect(start('second', two.url)).rejects.toThrow('CLIENT_CONNECTED')
    expect(first.events.filter(({ event }) => event === 'disconnected')).toEqual([])
  }, 120_000)
})
