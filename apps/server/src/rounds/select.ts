import { roundNumber } from '@fedsvd/core/errors'
import { bufferOf, resolveManifest } from '@fedsvd/core/protocol'
import { chosen, seededSource } from '@fedsvd/core/random'
import type { RoundPlan } from '../storage/records/index.ts'
import { type RoundContext, RunOver, type RunWith, requireBudgets } from './context.ts'
import type { RoundEvent } from './progress.ts'

/** What selecting uses of a run. */
type Selecting = 'settings' | 'time' | 'participants' | 'budgets' | 'assignments' | 'messages'
type SelectingRun = RunWith<Selecting>

/** Who is asked in a round, and what the round goes by. */
export type Selection = RoundEvent & { readonly type: 'selected' }

/**
 * Decides who is asked in this round: by the run's public seed, among those that are there and can pay for it.
 * Undefined where that is stored already.
 */
export async function select({ run, round, journal }: RoundContext<Selecting>): Promise<Selection | undefined> {
  if (journal.progress !== undefined) return undefined
  const isBuffered = bufferOf(run.settings.manifest) !== undefined
  const candidates = isBuffered && round > 0 ? await atWork(run, round) : await gather(run, round)
  const { runId, seed } = run.settings.manifest
  const clients = draw(seed, candidates, isBuffered ? freePlaces(run) : askedFor(run), round, 0)
  return { type: 'selected', runId, round, clients, plan: roundPlan(run), at: run.time.clock.now() }
}

function roundPlan({ settings: { plan, manifest } }: SelectingRun): RoundPlan {
  const { quorum, clientsPerRound, deadlineSeconds } = plan
  const buffer = bufferOf(manifest)
  return { quorum, clientsPerRound, deadlineSeconds, ...(buffer && { bufferSize: buffer.bufferSize }) }
}

/** How many clients a round asks, so that enough deliver in time. */
function askedFor({ settings: { plan, manifest } }: SelectingRun): number {
  return Math.ceil(plan.clientsPerRound * resolveManifest(manifest).overSelection)
}

/** How many more clients may train at the same time. */
function freePlaces(run: SelectingRun): number {
  const training = run.assignments.stillTraining().filter((clientId) => run.participants.isReady(clientId))
  return Math.max(0, run.settings.plan.clientsPerRound - training.length)
}

/**
 * In a buffered run no client waits for a round to begin: free ones begin with it, the others when they are done.
 */
async function atWork(run: SelectingRun, round: number): Promise<readonly string[]> {
  run.time.signal.throwIfAborted()
  requireMore(run, round)
  const { quorum } = run.settings.plan
  const eligible = await run.budgets.eligible()
  const busy = run.assignments.stillTraining()
  if (new Set([...eligible, ...busy]).size < quorum) await requireBudgets(run, round, quorum, busy)
  return eligible.filter((clientId) => run.participants.isReady(clientId) && !busy.includes(clientId))
}

function requireMore({ settings }: SelectingRun, round: number): void {
  const { rounds } = settings.plan
  if (round >= rounds) throw new RunOver(`the plan was shortened to ${rounds} rounds`, 'completed')
}

/** `count` of the candidates, or all when there are fewer; the same for the same seed, round and wave. */
export function draw(
  seed: string,
  candidates: readonly string[],
  count: number,
  round: number,
  wave: number,
): readonly string[] {
  const source = seededSource(seed, 'select', round, wave)
  return chosen(source, [...candidates].sort(), Math.min(count, candidates.length))
}

/**
 * Waits for clients. The first round waits for as many as the run asks for, up to its deadline once a quorum is there;
 * later rounds wait for those that are known, but not long.
 */
async function gather(run: SelectingRun, round: number): Promise<readonly string[]> {
  let quorumSince: number | undefined
  let waitingSince: number | undefined
  for (;;) {
    run.time.signal.throwIfAborted()
    requireMore(run, round)
    const { quorum, deadlineSeconds } = run.settings.plan // it may change while the round waits
    const patience = round === 0 ? deadlineSeconds * 1000 : run.time.gatherMs
    const changes = run.time.changeSignal.changes // what changes from here on is looked at again
    const eligible = await run.budgets.eligible()
    if (round > 0 && eligible.length < quorum) await requireBudgets(run, round, quorum)
    const ready = eligible.filter((clientId) => run.participants.isReady(clientId))
    const wanted = round === 0 ? askedFor(run) : Math.max(quorum, Math.min(askedFor(run), eligible.length))
    if (ready.length >= wanted) return preferIdle(run, ready, wanted)
    const now = run.time.clock.now()
    quorumSince = ready.length >= quorum ? (quorumSince ?? now) : undefined
    if (quorumSince !== undefined && now >= quorumSince + patience) return preferIdle(run, ready, wanted)
    waitingSince = round > 0 && quorumSince === undefined ? (waitingSince ?? now) : undefined
    const isShort = eligible.length < quorum
    const told = waitingSince === undefined ? undefined : waitingSince + (isShort ? 0 : deadlineSeconds * 1000)
    if (told !== undefined && now >= told) await raiseWaiting(run, round, { quorum, eligible, ready })
    const next = quorumSince === undefined ? told : quorumSince + patience
    await run.time.changeSignal.wait(next !== undefined && next > now ? next : undefined, changes)
  }
}

interface Present {
  readonly quorum: number
  readonly eligible: readonly string[]
  readonly ready: readonly string[]
}

/** Only an operator can know whether to wait for clients that have left. */
async function raiseWaiting(run: SelectingRun, round: number, { quorum, eligible, ready }: Present): Promise<void> {
  const message = `round ${roundNumber(round)} cannot begin: of the ${quorum} clients that it needs ${eligible.length} take part and ${ready.length} are connected`
  const remedy = 'The run waits. Bring them back, let others join, lower the quorum, or stop it.'
  await run.messages.alert('QUORUM_MISSED', `${message}. ${remedy}`)
}

/**
 * Leaves those alone that still train for an earlier round, where there are enough others: a newer round would end
 * that.
 */
function preferIdle(run: SelectingRun, ready: readonly string[], wanted: number): readonly string[] {
  const busy = new Set(run.assignments.stillTraining())
  const idle = ready.filter((clientId) => !busy.has(clientId))
  return idle.length >= Math.min(wanted, ready.length) ? idle : ready
}
