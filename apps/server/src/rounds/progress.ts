import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { LIMITS } from '@fedsvd/core/protocol'
import type {
  BlobRef,
  RoundPlan,
  RoundProgress,
  RoundResult,
  StaleUpdate,
  Task,
  TaskState,
} from '../storage/records/index.ts'

/** What happened in a round. Times come with the event, so that the reducer needs no clock. */
export type RoundEvent =
  | {
      readonly type: 'selected'
      readonly runId: string
      readonly round: number
      readonly clients: readonly string[]
      /** What the round goes by from here on. */
      readonly plan: RoundPlan
      readonly at: number
    }
  | { readonly type: 'tasked'; readonly at: number }
  | { readonly type: 'enlisted'; readonly clients: readonly string[] }
  | { readonly type: 'refused'; readonly clientId: string; readonly at: number }
  | { readonly type: 'delivered'; readonly clientId: string; readonly update: BlobRef; readonly at: number }
  | {
      readonly type: 'late'
      readonly clientId: string
      /** The round that the update was made in. */
      readonly round: number
      readonly update: BlobRef
      readonly at: number
    }
  | { readonly type: 'deadline'; readonly at: number }
  | { readonly type: 'resumed'; readonly at: number }
  | { readonly type: 'aggregated'; readonly result: RoundResult }
  | { readonly type: 'published'; readonly at: number }

/**
 * The round as a pure function of its past: `(state, event) -> state`. Everything that happens to a round goes through
 * it, in the process that owns the run as after a restart.
 *
 * `selected -> tasked -> received -> aggregated -> published`, never back. The round takes updates in `tasked` only. It
 * closes (`received`) when clientsPerRound have delivered, when everyone asked has delivered or refused and the quorum
 * is met, or at the deadline with a quorum; at a deadline without one, and when a paused run is resumed, it stays open
 * for another term, which is longer each time where it is short. A deadline is never further away than its term: one
 * that is counts from then on. With a bufferSize it closes when so many updates are in, stale ones of earlier rounds
 * included, or at the deadline with a quorum. An event that changes nothing returns the same object.
 *
 * A client gives at most one update to a round, its own or a stale one: rules that bear so many malicious clients count
 * on it.
 *
 * Throws UPDATE_STALE, UPDATE_UNEXPECTED or UPDATE_CONFLICT for an update that the round does not take, RUN_NOT_OPEN
 * for a stale one that the next round may take, and RUN_STATE for an event that has no place in the phase.
 */
export function reduceRound(progress: RoundProgress | undefined, event: RoundEvent): RoundProgress {
  if (event.type === 'selected') return progress ?? opened(event)
  if (progress === undefined) throw outOfPlace(event, 'a round that is not open')
  const next = step(progress, event)
  return next === progress ? progress : { ...next, version: progress.version + 1 }
}

function opened({ runId, round, clients, plan, at }: RoundEvent & { type: 'selected' }): RoundProgress {
  const tasks = [...new Set(clients)].sort().map((clientId) => ({ clientId, state: 'selected' as const }))
  return {
    runId,
    round,
    phase: 'selected',
    plan,
    version: 1,
    openedAt: at,
    deadline: at + termOf(plan),
    extensions: 0,
    tasks,
  }
}

function step(progress: RoundProgress, event: Exclude<RoundEvent, { type: 'selected' }>): RoundProgress {
  const { phase, plan } = progress
  switch (event.type) {
    case 'tasked':
      if (phase !== 'selected') return progress
      return closedIfComplete(
        {
          ...withStates(progress, 'tasked', ({ state }) => state === 'selected'),
          phase: 'tasked',
          deadline: event.at + termOf(plan),
        },
        event.at,
      )
    case 'enlisted':
      return phase === 'tasked' ? enlist(progress, event.clients) : progress
    case 'refused': {
      const refuses = ({ clientId, state }: Task) => clientId === event.clientId && isOpen(state)
      if (phase !== 'tasked' || !progress.tasks.some(refuses)) return progress
      return closedIfComplete(withStates(progress, 'refused', refuses), event.at)
    }
    case 'delivered':
      return deliver(progress, event)
    case 'late':
      return takeStale(progress, event)
    case 'deadline':
      if (phase !== 'tasked') return progress
      // It was stored by a clock that was ahead, of another machine or before a restart.
      if (progress.deadline > event.at + termOf(plan, progress.extensions)) {
        return { ...progress, deadline: event.at + termOf(plan, progress.extensions) }
      }
      if (event.at < progress.deadline) return progress
      if (countOf(progress) >= plan.quorum) return { ...progress, phase: 'received', closedAt: event.at }
      return {
        ...progress,
        deadline: event.at + termOf(plan, progress.extensions + 1),
        extensions: progress.extensions + 1,
      }
    case 'resumed':
      return phase === 'tasked' ? { ...progress, deadline: event.at + termOf(plan) } : progress
    case 'aggregated':
      if (phase === 'received') return { ...progress, phase: 'aggregated', result: event.result }
      if (progress.result?.sha256 === event.result.sha256) return progress
      throw outOfPlace(event, `a round in phase ${phase}`)
    case 'published':
      if (phase === 'aggregated') return { ...progress, phase: 'published', publishedAt: event.at }
      if (phase === 'published') return progress
      throw outOfPlace(event, `a round in phase ${phase}`)
  }
}

/**
 * Throws unless the round takes (or has taken) an update from this client: the same check before and after its bytes.
 * With `acceptsStaleUpdates`, one that comes after the round has closed is left to a later round.
 */
export function checkAdmissible(
  progress: RoundProgress | undefined,
  clientId: string,
  acceptsStaleUpdates = false,
): Task {
  const task = progress?.tasks.find((candidate) => candidate.clientId === clientId)
  if (progress === undefined || task === undefined || task.state === 'selected' || task.state === 'refused') {
    throw new FedsvdError('UPDATE_UNEXPECTED', {
      expected: 'an update from a client that was invited to this round and did not refuse',
      got: task === undefined ? 'a client that was not invited' : `a client whose task is ${task.state}`,
      remedy: 'Wait for the next invitation.',
    })
  }
  if (task.state === 'tasked' && progress.phase !== 'tasked' && !acceptsStaleUpdates) {
    throw new FedsvdError('UPDATE_STALE', {
      expected: 'an update for a round that is open',
      got: `round ${roundNumber(progress.round)}, which has closed`,
      remedy: 'Discard it and wait for the next invitation; the budget stays spent.',
    })
  }
  return task
}

function deliver(progress: RoundProgress, event: RoundEvent & { type: 'delivered' }): RoundProgress {
  const { clientId, update, at } = event
  const task = checkAdmissible(progress, clientId)
  if (task.update !== undefined) {
    if (task.update.sha256 === update.sha256) return progress
    throw new FedsvdError('UPDATE_CONFLICT', {
      expected: `the update with SHA-256 ${task.update.sha256}, which was accepted`,
      got: `another one, ${update.sha256}`,
      remedy: 'A retry sends the same bytes; the accepted update stands.',
    })
  }
  const { sha256, bytes } = update
  const tasks = progress.tasks.map((candidate) =>
    candidate === task
      ? { clientId, state: 'delivered' as const, update: { sha256, bytes, receivedAt: at } }
      : candidate,
  )
  return closedIfComplete({ ...progress, tasks }, at)
}

function takeStale(progress: RoundProgress, event: RoundEvent & { type: 'late' }): RoundProgress {
  const { clientId, round, update, at } = event
  const { phase, tasks, late = [] } = progress
  const known = late.find((other) => other.clientId === clientId)
  if (known?.round === round && known.sha256 === update.sha256) return progress
  if (phase !== 'selected' && phase !== 'tasked')
    throw notOpen(`round ${roundNumber(progress.round)}, which has closed`)
  if (known !== undefined) throw notOpen(`round ${roundNumber(progress.round)}, which has another one of this client`)
  if (tasks.some((task) => task.clientId === clientId && task.state !== 'refused')) {
    throw new FedsvdError('UPDATE_STALE', {
      expected: `an update for round ${roundNumber(progress.round)}, to which the client was invited since`,
      got: `one for round ${roundNumber(round)}`,
      remedy: 'Discard it; the newest invitation stands, and the budget stays spent.',
    })
  }
  const added: StaleUpdate = { clientId, round, sha256: update.sha256, bytes: update.bytes, receivedAt: at }
  const next = { ...progress, late: [...late, added].sort(byClient) }
  return phase === 'tasked' ? closedIfComplete(next, at) : next
}

/** Why a stale update has to wait: it is kept by its sender and taken by another round. */
export function notOpen(got: string): FedsvdError {
  return new FedsvdError('RUN_NOT_OPEN', {
    expected: 'a round that can count a late update',
    got,
    remedy: 'Keep it and send it again later.',
  })
}

function enlist(progress: RoundProgress, clients: readonly string[]): RoundProgress {
  const givers = new Set(progress.late?.map(({ clientId }) => clientId))
  const asked = new Set(clients.filter((clientId) => !givers.has(clientId)))
  const kept = progress.tasks.filter(({ clientId, state }) => !asked.has(clientId) || state !== 'refused')
  for (const { clientId } of kept) asked.delete(clientId)
  if (asked.size === 0) return progress
  const added = [...asked].map((clientId) => ({ clientId, state: 'tasked' as const }))
  return { ...progress, tasks: [...kept, ...added].sort(byClient) }
}

function closedIfComplete(progress: RoundProgress, at: number): RoundProgress {
  const { quorum, clientsPerRound, bufferSize } = progress.plan
  const delivered = deliveredTasks(progress).length
  const complete =
    bufferSize === undefined
      ? delivered >= clientsPerRound || (openTasks(progress).length === 0 && delivered >= quorum)
      : countOf(progress) >= bufferSize
  return complete ? { ...progress, phase: 'received', closedAt: at } : progress
}

/** What counts towards the quorum: in a buffered run every update, otherwise the round's own. */
export function countOf(progress: RoundProgress): number {
  const late = progress.plan.bufferSize === undefined ? 0 : (progress.late?.length ?? 0)
  return deliveredTasks(progress).length + late
}

const byClient = (left: { clientId: string }, right: { clientId: string }): number =>
  left.clientId < right.clientId ? -1 : 1

function withStates(progress: RoundProgress, state: TaskState, which: (task: Task) => boolean): RoundProgress {
  return { ...progress, tasks: progress.tasks.map((task) => (which(task) ? { ...task, state } : task)) }
}

/** Each extension of a short deadline is twice as long as the one before, up to a minute, so that there are few. */
const LONGEST_BACK_OFF_MS = 60_000
const LEAST_TERM_MS = 1000 * LIMITS.deadlineSeconds.least

/**
 * How long a round stays open, at first or once more, in milliseconds. Runs of earlier releases may name next to
 * nothing.
 */
function termOf({ deadlineSeconds }: RoundPlan, extensions = 0): number {
  const term = Math.max(LEAST_TERM_MS, deadlineSeconds * 1000)
  return Math.max(term, Math.min(term * 2 ** Math.min(extensions, 30), LONGEST_BACK_OFF_MS))
}

const isOpen = (state: TaskState): boolean => state === 'selected' || state === 'tasked'

/** Clients that were asked and have neither delivered nor refused. */
export function openTasks({ tasks }: RoundProgress): readonly Task[] {
  return tasks.filter(({ state }) => isOpen(state))
}

/** The accepted updates of the round itself, by client identifier, ascending. */
export function deliveredTasks({ tasks }: RoundProgress): readonly Required<Task>[] {
  return tasks.filter((task): task is Required<Task> => task.state === 'delivered')
}

function outOfPlace({ type }: RoundEvent, got: string): FedsvdError {
  return new FedsvdError('RUN_STATE', {
    expected: `a round that can be ${type}`,
    got,
    remedy: 'This is a fault of the coordinator; report it with its log.',
  })
}
