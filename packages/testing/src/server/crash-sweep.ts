import { setImmediate } from 'node:timers/promises'
import type { RunRequest } from '@fedsvd/core/protocol'
import type { RoundProgress, Store } from '@fedsvd/server/storage/records'
import { completed, prepared, startRuns, storedRounds } from './crash-recovery-harness.ts'
import { expectedAdapter } from './expected-adapter.ts'
import { type Death, KillableProcess } from './killable-store.ts'

/** Runs until the process is killed, then a second process to the end. */
export async function crashAndRecover(death: Death, changes: Partial<RunRequest> = {}, store?: Store) {
  const { durable, clients, runId } = await prepared(changes, store)
  const killed = new KillableProcess(death)
  await startRuns(durable, clients, killed)
  if (store === undefined) await killed.died
  // On a real database a run may come to its end in fewer calls than the one that was counted.
  else while (!killed.isDead && (await store.runs.find(runId))?.state !== 'completed') await setImmediate()
  const left = await storedRounds(durable.store, runId)
  const runs = await startRuns(durable, clients, new KillableProcess())
  const snapshot = await completed(runs, runId)
  const rounds = await storedRounds(durable.store, runId)
  const payments = await Promise.all(rounds.map((_, round) => durable.store.ledger.lastDraw(runId, round)))
  await runs[Symbol.asyncDispose]()
  return { left, rounds, snapshot, clients, payments, draws: durable.noise.draws }
}

/** A run whose coordinator crashed once and was started again, and what was left in between. */
export type CrashRecovery = Awaited<ReturnType<typeof crashAndRecover>>

/** How many calls to something durable a run makes that nothing disturbs. */
export async function callsOfAWholeRun(changes: Partial<RunRequest> = {}, store?: Store): Promise<number> {
  const { durable, clients, runId } = await prepared(changes, store)
  const undisturbed = new KillableProcess()
  const runs = await startRuns(durable, clients, undisturbed)
  while ((await durable.store.runs.find(runId))?.state !== 'completed') await setImmediate()
  const { calls } = undisturbed
  await runs[Symbol.asyncDispose]()
  return calls
}

/** Where an update that was accepted is in no state, or in two. */
export function lostOrTwice({ snapshot, rounds }: CrashRecovery): string[] {
  const counted = snapshot.rounds.flatMap(({ round, clients, late = [] }) => [
    ...clients.map((clientId) => `${clientId} of round ${round}`),
    ...late.map(([clientId, madeIn]) => `${clientId} of round ${madeIn}`),
  ])
  const accepted = rounds.flatMap((progress) =>
    progress!.tasks
      .filter(({ update }) => update !== undefined)
      .map(({ clientId }) => `${clientId} of round ${progress!.round}`),
  )
  const faults = counted.filter((name, index) => counted.indexOf(name) < index).map((name) => `${name} counts twice`)
  return [...faults, ...accepted.filter((name) => !counted.includes(name)).map((name) => `${name} is lost`)]
}

/** What is not as it would be without the crash. */
export function faultsOf({ left, rounds, snapshot, clients }: CrashRecovery): string[] {
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
