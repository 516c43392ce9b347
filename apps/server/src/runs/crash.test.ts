import { describe, expect, it } from 'vitest'
import {
  completed,
  type Death,
  expectedAdapter,
  live,
  MortalProcess,
  prepared,
  storedRounds,
} from '../../test-kit/index.ts'
import type { RoundProgress } from '../store/index.ts'

/** Runs until the death, then again to the end. */
async function dieAndGoOn(death: Death) {
  const { durable, clients, runId } = await prepared()
  const mortal = new MortalProcess(death)
  await live(durable, clients, mortal)
  await mortal.died
  const left = await storedRounds(durable.store, runId)
  const conductor = await live(durable, clients, new MortalProcess())
  const snapshot = await completed(conductor, runId)
  const rounds = await storedRounds(durable.store, runId)
  await conductor[Symbol.asyncDispose]()
  return { left, rounds, snapshot, clients }
}

async function callsOfAWholeRun(): Promise<number> {
  const { durable, clients, runId } = await prepared()
  const immortal = new MortalProcess()
  const conductor = await live(durable, clients, immortal)
  for (let turn = 0; turn < 2000; turn += 1) {
    if ((await durable.store.runs.find(runId))?.state === 'completed') break
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { calls } = immortal
  await conductor[Symbol.asyncDispose]()
  return calls
}

describe('a coordinator that dies at any of its awaits', async () => {
  const calls = await callsOfAWholeRun()

  it('makes enough calls for this to mean something', () => {
    expect(calls).toBeGreaterThan(40)
  })

  it.each([
    ['before the call has its effect', 'before'],
    ['after the call has had its effect', 'after'],
  ] as const)('finishes the same run with each update counted once, %s', async (_, when) => {
    const faults: string[] = []
    // The last few calls come after the run has ended.
    for (let atCall = 1; atCall <= calls - 4; atCall += 1) {
      const found = faultsOf(await dieAndGoOn({ atCall, when }))
      faults.push(...found.map((fault) => `death ${when} call ${atCall}: ${fault}`))
    }
    expect(faults).toEqual([])
  })
})

/** What is not as it would be without the death. */
function faultsOf({ left, rounds, snapshot, clients }: Awaited<ReturnType<typeof dieAndGoOn>>): string[] {
  const faults: string[] = []
  if (snapshot.adapter !== expectedAdapter(snapshot, clients)) faults.push('an update was lost or counted twice')
  const tasks = rounds.flatMap((progress) => progress!.tasks)
  for (const { name, clientId, steps } of snapshot.clients) {
    const expected = 2 * tasks.filter((task) => task.clientId === clientId).length
    if (steps !== expected) faults.push(`${name} is charged ${steps} steps in place of ${expected}`)
  }
  const selection = (progress: RoundProgress) => progress.tasks.map(({ clientId }) => clientId).join()
  for (const [round, before] of left.entries()) {
    if (before === undefined) continue
    const after = rounds[round]!
    if (selection(after) !== selection(before)) faults.push(`round ${round} has another selection`)
    for (const { clientId, update } of before.tasks) {
      const now = after.tasks.find((task) => task.clientId === clientId)?.update
      if (update !== undefined && now?.sha256 !== update.sha256)
        faults.push(`round ${round} has lost an accepted update`)
    }
  }
  return faults
}
