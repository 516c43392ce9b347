import { type RoundContext, tooFewClients } from './context.ts'
import { countOf, deliveredTasks, openTasks } from './progress.ts'
import { draw } from './select.ts'
import { invite } from './task.ts'

/**
 * Waits until the round has closed. Updates come in by themselves, through the round's book; this step keeps the time,
 * replaces clients that refused or stay away where the quorum is out of reach, and says so when a deadline was missed.
 */
export async function collect(context: RoundContext): Promise<void> {
  const { run, round, book } = context
  let extensions = 0 // whoever takes the round up again, after a fault or a death, looks at a missed deadline again
  for (;;) {
    run.signal.throwIfAborted()
    const { phase, deadline } = await book.dispatch({ type: 'deadline', at: run.clock.now() })
    if (phase !== 'tasked') break
    const late = book.progress!.extensions > extensions
    if (late) await raiseMissedDeadline(context)
    extensions = book.progress!.extensions
    if (book.progress!.plan.bufferSize === undefined) await replaceMissing(context, late)
    else await fillPlaces(context, late)
    if (book.progress!.phase !== 'tasked') break
    await run.pulse.next(deadline)
  }
  run.log.info({ runId: run.manifest.runId, round, updates: deliveredTasks(book.progress!).length }, 'round closed')
}

/** At a missed deadline only connected clients count as coming, and whoever refused is asked again. */
async function replaceMissing(context: RoundContext, late: boolean): Promise<void> {
  const { run, round, book } = context
  const progress = book.progress!
  const { clientsPerRound, quorum } = progress.plan
  const delivered = deliveredTasks(progress).length
  const open = openTasks(progress).filter(({ clientId }) => !late || run.isReady(clientId))
  if (delivered + open.length >= quorum) return
  const unavailable = new Set(
    progress.tasks.filter(({ state }) => !late || state !== 'refused').map(({ clientId }) => clientId),
  )
  const eligible = run.eligible()
  const candidates = eligible.filter((clientId) => !unavailable.has(clientId) && run.isReady(clientId))
  const wave = progress.tasks.length + progress.extensions
  const replacements = draw(run.manifest.seed, candidates, clientsPerRound - delivered - open.length, round, wave)
  if (replacements.length === 0) return failIfHopeless(context, eligible)
  await book.dispatch({ type: 'enlisted', clients: replacements })
  for (const clientId of replacements) void invite(context, clientId)
}

/**
 * Lets whoever is free train, as long as there are places; who has given its update to this round waits for the next state. At
 * a missed deadline those that should have sent something long ago are asked anew.
 */
async function fillPlaces(context: RoundContext, late: boolean): Promise<void> {
  const { run, round, book } = context
  const progress = book.progress!
  const busy = late ? [] : run.busy()
  const open = openTasks(progress).filter(({ clientId }) => !late || run.isReady(clientId))
  const training = busy.filter((clientId) => run.isReady(clientId)).length + open.length
  const free = progress.plan.clientsPerRound - training
  const refusing = progress.tasks.filter(({ state }) => late && state === 'refused').map(({ clientId }) => clientId)
  const taken = new Set([...[...progress.tasks, ...(progress.late ?? [])].map(({ clientId }) => clientId), ...busy])
  for (const clientId of refusing) taken.delete(clientId)
  const eligible = run.eligible()
  const candidates = eligible.filter((clientId) => !taken.has(clientId) && run.isReady(clientId))
  const wave = progress.tasks.length + progress.extensions
  const clients = draw(run.manifest.seed, candidates, Math.max(0, free), round, wave)
  if (clients.length === 0) return failIfHopeless(context, [...eligible, ...run.busy()])
  await book.dispatch({ type: 'enlisted', clients })
  for (const clientId of clients) void invite(context, clientId)
}

function failIfHopeless({ run, round, book }: RoundContext, eligible: readonly string[]): void {
  const { tasks, late = [], plan } = book.progress!
  const { quorum } = plan
  const stillAsked = tasks.filter(({ state }) => state !== 'refused').map(({ clientId }) => clientId)
  const given = plan.bufferSize === undefined ? [] : late.map(({ clientId }) => clientId)
  const possible = new Set([...stillAsked, ...given, ...eligible]).size
  if (possible < quorum) {
    throw tooFewClients(run, round, `${quorum} updates, ${possible} can still come`)
  }
}

async function raiseMissedDeadline({ run, round, book }: RoundContext): Promise<void> {
  const { quorum, deadlineSeconds } = book.progress!.plan
  const got = countOf(book.progress!)
  const message = `round ${round} had ${got} of ${quorum} updates at its deadline; it stays open for another ${deadlineSeconds} s`
  await run.alert('QUORUM_MISSED', message)
}
