import { setImmediate } from 'node:timers/promises'
import type { Invitation, InvitationReply } from '@fedsvd/core/protocol'
import {
  expectedAdapter,
  type Outage,
  ProcessInOutage,
  prepared,
  publicationsTold,
  startRuns,
  storedRounds,
} from '@fedsvd/testing/server'
import { describe, expect, it } from 'vitest'
import type { Store } from '../storage/records/index.ts'

const OUT_OF_MEMORY = {
  code: 'UNEXPECTED',
  expected: 'memory for the model',
  got: 'none',
  remedy: 'Try again later.',
} as const

/** The first client that is asked refuses once: its answer, too, has to survive an outage. */
function refusingOnce(): (clientId: string, invitation: Invitation) => InvitationReply {
  let refuser: string | undefined
  return (clientId) => {
    refuser ??= clientId
    if (refuser !== clientId) return { accepted: true }
    refuser = 'none'
    return { accepted: false, error: OUT_OF_MEMORY }
  }
}

/** A whole run whose process keeps running while storage rejects some calls. */
async function runThrough(outage?: Outage) {
  const { durable, clients, runId } = await prepared()
  const process = new ProcessInOutage(outage)
  const toldBefore = await publicationsTold()
  const runs = await startRuns(durable, clients, process, refusingOnce())
  const isOver = await ended(durable.store, runId)
  const { calls, callsAtStart } = process
  process.endOutage()
  const snapshot = await runs.views.snapshot(runId)
  const rounds = await storedRounds(durable.store, runId)
  await runs[Symbol.asyncDispose]()
  const told = (await publicationsTold()) - toldBefore
  return { isOver, snapshot, rounds, clients, told, callsAtStart, calls }
}

/** Accounting answers from a thread, so it is time that is limited, and not turns of the loop. */
const LONGEST_RUN_MS = 30_000

async function ended(store: Store, runId: string): Promise<boolean> {
  for (const deadline = Date.now() + LONGEST_RUN_MS; Date.now() < deadline; ) {
    if ((await store.runs.find(runId))?.state === 'completed') return true
    await setImmediate()
  }
  return false
}

function faultsOf({ isOver, snapshot, rounds, clients, told }: Awaited<ReturnType<typeof runThrough>>): string[] {
  if (!isOver) return [`the run hangs as ${snapshot.state}: ${JSON.stringify(snapshot.current)}`]
  const faults: string[] = []
  if (snapshot.adapter !== expectedAdapter(snapshot, clients)) faults.push('an update was lost or counted twice')
  if (snapshot.clients.length < clients.length) faults.push('a client was turned away')
  const asked = rounds.flatMap((progress) => progress!.tasks).filter(({ state }) => state !== 'refused')
  for (const { name, clientId, steps } of snapshot.clients) {
    const expected = 2 * asked.filter((task) => task.clientId === clientId).length
    if (steps !== expected) faults.push(`${name} is charged ${steps} steps in place of ${expected}`)
  }
  if (told !== rounds.length) faults.push(`${told} publications were told of ${rounds.length}`)
  if (snapshot.alerts.length === 0) faults.push('the alert of the refusal is lost')
  return faults
}

describe('a coordinator whose database is away at any of its awaits', async () => {
  const undisturbed = await runThrough()

  it('runs as it should without an outage', () => {
    expect(faultsOf(undisturbed)).toEqual([])
    expect(undisturbed.calls - undisturbed.callsAtStart).toBeGreaterThan(20)
  })

  it.each([
    ['for one call', 1, false],
    ['for one call that has its effect', 1, true],
    ['for eight calls', 8, false],
  ] as const)('finishes the same run with each update and each refusal counted once, %s', async (_, calls, effect) => {
    const faults: string[] = []
    for (let fromCall = undisturbed.callsAtStart + 1; fromCall < undisturbed.calls; fromCall += 1) {
      const found = faultsOf(await runThrough({ fromCall, calls, firstHasEffect: effect }))
      faults.push(...found.map((fault) => `outage from call ${fromCall}: ${fault}`))
    }
    expect(faults).toEqual([])
  })
})
