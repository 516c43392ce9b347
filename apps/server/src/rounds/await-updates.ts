import { roundNumber } from '@fedsvd/core/errors'
import type { RoundProgress } from '../storage/records/index.ts'
import { type Inviting, invite } from './assign.ts'
import { type RoundContext, RunOver, requireBudgets } from './context.ts'
import { countOf, deliveredTasks, openTasks } from './progress.ts'
import { draw } from './select.ts'

/** What waiting for updates uses of a run. */
type Awaiting = Inviting | 'budgets' | 'assignments'

/**
 * Waits until the round has closed. Updates come in by themselves, through the round's journal; this step keeps the
 * time, replaces clients that refused or stay away where the quorum is out of reach, and says so when a deadline was
 * missed.
 */
export async function awaitUpdates(context: RoundContext<Awaiting>): Promise<void> {
  const { run, round, journal } = context
  let extensions = 0 // a coordinator that resumes the round after a fault or a crash checks a missed deadline again
  for (;;) {
    run.time.signal.throwIfAborted()
    const changes = run.time.changeSignal.changes // what changes while this looks is looked at again
    const { phase, deadline } = await journal.dispatch({ type: 'deadline', at: run.time.clock.now() })
    if (phase !== 'tasked') break
    const missedDeadline = journal.progress!.extensions > extensions
    if (missedDeadline) {
      await raiseMissedDeadline(context)
      inviteAgain(context)
    }
    extensions = journal.progress!.extensions
    if (journal.progress!.plan.bufferSize === undefined) await replaceMissing(context, missedDeadline)
    else await fillPlaces(context, missedDeadline)
    if (journal.progress!.phase !== 'tasked') break
    await run.time.changeSignal.wait(deadline, changes)
  }
  const updates = deliveredTasks(journal.progress!).length
  run.messages.log.info({ runId: run.settings.manifest.runId, round, updates }, 'round closed')
}

/**
 * The message may have been lost, or the client may have given up: those that are there and have not answered are asked
 * again.
 */
function inviteAgain(context: RoundContext<Awaiting>): void {
  context.run.failures.forget()
  for (const { clientId } of openTasks(context.journal.progress!)) void invite(context, clientId)
}

/** Makes each further draw of a round another one, and the same again after a restart. */
function waveOf({ tasks, extensions }: RoundProgress): number {
  return tasks.length + extensions
}

/**
 * Asks other clients where too few can still deliver. A client that reported a failure is not expected to, nor is one
 * that sent nothing until a deadline: then others are asked in place of all that have not delivered, and clients that
 * refused are asked again. An update that comes all the same counts.
 */
async function replaceMissing(context: RoundContext<Awaiting>, missedDeadline: boolean): Promise<void> {
  const { run, round, journal } = context
  const progress = journal.progress!
  const { clientsPerRound, quorum } = progress.plan
  const delivered = deliveredTasks(progress).length
  const open = missedDeadline
    ? []
    : openTasks(progress).filter(({ clientId }) => !run.failures.hasFailed(clientId, round))
  if (delivered + open.length >= quorum) return
  const unavailable = new Set(
    progress.tasks.filter(({ state }) => !missedDeadline || state !== 'refused').map(({ clientId }) => clientId),
  )
  const eligible = await run.budgets.eligible()
  const candidates = eligible.filter((clientId) => !unavailable.has(clientId) && run.participants.isReady(clientId))
  const wave = waveOf(progress)
  const replacements = draw(
    run.settings.manifest.seed,
    candidates,
    clientsPerRound - delivered - open.length,
    round,
    wave,
  )
  if (replacements.length === 0) return endIfNoClientIsLeft(context, eligible)
  await journal.dispatch({ type: 'enlisted', clients: replacements })
  for (const clientId of replacements) void invite(context, clientId)
}

/**
 * Assigns free clients as long as there are places; a client that has delivered to this round waits for the next state.
 * At a missed deadline, clients whose assignment has expired are asked again.
 */
async function fillPlaces(context: RoundContext<Awaiting>, missedDeadline: boolean): Promise<void> {
  const { run, round, journal } = context
  const progress = journal.progress!
  const busy = missedDeadline ? [] : run.assignments.stillTraining()
  const open = missedDeadline
    ? []
    : openTasks(progress).filter(({ clientId }) => !run.failures.hasFailed(clientId, round))
  const training = busy.filter((clientId) => run.participants.isReady(clientId)).length + open.length
  const free = progress.plan.clientsPerRound - training
  const refusing = progress.tasks
    .filter(({ state }) => missedDeadline && state === 'refused')
    .map(({ clientId }) => clientId)
  const taken = new Set([...[...progress.tasks, ...(progress.late ?? [])].map(({ clientId }) => clientId), ...busy])
  for (const clientId of refusing) taken.delete(clientId)
  const eligible = await run.budgets.eligible()
  const candidates = eligible.filter((clientId) => !taken.has(clientId) && run.participants.isReady(clientId))
  const wave = waveOf(progress)
  const clients = draw(run.settings.manifest.seed, candidates, Math.max(0, free), round, wave)
  if (clients.length === 0) return endIfNoClientIsLeft(context, [...eligible, ...run.assignments.stillTraining()])
  await journal.dispatch({ type: 'enlisted', clients })
  for (const clientId of clients) void invite(context, clientId)
}

async function endIfNoClientIsLeft(context: RoundContext<Awaiting>, eligible: readonly string[]): Promise<void> {
  endIfAllAreAhead(context)
  await endIfBudgetsAreSpent(context, eligible)
}

/**
 * A coordinator that was restored from a backup may come to a round that every client has left behind: none makes it
 * again, as that would cost its budget twice, so no waiting ends it.
 */
function endIfAllAreAhead({ run, round }: RoundContext<Awaiting>): void {
  if (!run.failures.areAllAheadOf(round)) return
  const { rounds } = run.settings.plan
  throw new RunOver(
    `every client has made round ${roundNumber(round)} already: this coordinator was restored from a backup that is older than ` +
      `their ledgers; the run ends with ${round} of ${rounds} rounds`,
    round > 0 ? 'completed' : 'failed',
  )
}

/** Not in the first round: others may still come, as they may before it begins. */
async function endIfBudgetsAreSpent(
  { run, round, journal }: RoundContext<Awaiting>,
  eligible: readonly string[],
): Promise<void> {
  if (round === 0) return
  const { tasks, late = [], plan } = journal.progress!
  const { quorum } = plan
  const stillAsked = tasks.filter(({ state }) => state !== 'refused').map(({ clientId }) => clientId)
  const given = plan.bufferSize === undefined ? [] : late.map(({ clientId }) => clientId)
  if (new Set([...stillAsked, ...given, ...eligible]).size >= quorum) return
  await requireBudgets(run, round, quorum, [...stillAsked, ...given])
}

async function raiseMissedDeadline({ run, round, journal }: RoundContext<Awaiting>): Promise<void> {
  const { quorum, deadlineSeconds } = journal.progress!.plan
  const got = countOf(journal.progress!)
  const message = `round ${roundNumber(round)} had ${got} of ${quorum} updates at its deadline; it stays open for another ${deadlineSeconds} s`
  await run.messages.alert('QUORUM_MISSED', message)
}
