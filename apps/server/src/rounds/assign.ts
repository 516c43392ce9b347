import { type ErrorCode, FedsvdError, roundNumber } from '@fedsvd/core/errors'
import type { Invitation } from '@fedsvd/core/protocol'
import { retryDuringOutage } from '../platform/index.ts'
import type { AdapterRecord } from '../storage/records/index.ts'
import type { RoundContext, RunWith } from './context.ts'
import { openTasks } from './progress.ts'
import type { Selection } from './select.ts'

/**
 * Refusals after which asking again would be pointless until the client comes back by itself. `SITE_DECLINED` is one: a
 * site says so of a damaged ledger, and of every other fault whose reason stays with it.
 */
const FOR_GOOD: readonly ErrorCode[] = [
  'BUDGET_EXHAUSTED',
  'BUDGET_TOO_SMALL',
  'LEDGER_DAMAGED',
  'LEDGER_MISMATCH',
  'SITE_DECLINED',
  'TERMS_CHANGED',
]

/** What inviting uses of a run. */
export type Inviting = 'settings' | 'time' | 'participants' | 'failures' | 'messages'

/**
 * Stores who was selected and counts the round against each of them, in one durable change, and only then invites those
 * that are there.
 */
export async function assign(context: RoundContext<Inviting | 'rounds'>, selection?: Selection): Promise<void> {
  const { run, journal } = context
  const tasked = { type: 'tasked', at: run.time.clock.now() } as const
  const progress = await journal.dispatch(...(selection === undefined ? [tasked] : [selection, tasked]))
  await run.rounds.begin()
  for (const { clientId } of progress.phase === 'tasked' ? openTasks(progress) : []) void invite(context, clientId)
}

/**
 * Sends a client its open invitation, if it has one and is there. Safe to repeat: the invitation is a function of the
 * stored round, its token included. Never rejects; the reply is dealt with when it comes.
 */
export async function invite(context: RoundContext<Inviting>, clientId: string): Promise<void> {
  const { run, round, journal, base } = context
  const { progress } = journal
  const isOpen = progress?.phase === 'tasked' && openTasks(progress).some((task) => task.clientId === clientId)
  if (!isOpen) return
  await ask(run, clientId, invitation(run, { round, clientId, base, deadline: progress.deadline }), (refusal) =>
    noteRefusal(context, clientId, refusal),
  )
}

/** Sends a client again its invitation to an earlier round, for which an update still counts. Never rejects. */
export async function inviteStraggler(
  run: RunWith<Inviting | 'storage'>,
  round: number,
  clientId: string,
): Promise<void> {
  const { runId } = run.settings.manifest
  const base = await run.storage.store.adapters.find(runId, round)
  const progress = await run.storage.store.rounds.find(runId, round)
  if (base === undefined || progress === undefined) return
  const { deadline } = progress
  await ask(run, clientId, invitation(run, { round, clientId, base, deadline }), (refusal) =>
    run.messages.alert(refusal.code, `refused round ${roundNumber(round)}. ${refusal.message}`, clientId),
  )
}

interface InvitationInput {
  readonly round: number
  readonly clientId: string
  readonly base: AdapterRecord
  readonly deadline: number
}

function invitation(
  { settings, messages }: RunWith<'settings' | 'messages'>,
  { round, clientId, base, deadline }: InvitationInput,
): Invitation {
  const { manifest, plan } = settings
  const { runId, adaptiveClipping } = manifest
  return {
    runId,
    round,
    basis: base.basis,
    state: { sha256: base.sha256, bytes: base.bytes },
    ...(adaptiveClipping && { clipNorm: base.clipNorm ?? manifest.clipNorm }),
    ...(round >= manifest.rounds && { rounds: plan.rounds }),
    uploadToken: messages.tokens.issue({ runId, round, clientId }),
    deadline: new Date(deadline).toISOString(),
  }
}

async function ask(
  run: RunWith<Inviting>,
  clientId: string,
  message: Invitation,
  onRefusal: (refusal: FedsvdError) => Promise<void>,
): Promise<void> {
  if (!run.participants.isReady(clientId) || run.time.signal.aborted) return
  const { runId, round } = message
  try {
    const reply = await run.messages.gateway.invite(clientId, message)
    if (reply === undefined || reply.accepted) return
    const refusal = FedsvdError.fromJSON(reply.error)
    await retryDuringOutage(() => onRefusal(refusal), run.time.clock, run.time.signal)
  } catch (error) {
    run.messages.log.warn({ err: error, runId, round, clientId }, 'handling the reply to an invitation failed')
  }
}

async function noteRefusal(
  { run, round, journal }: RoundContext<Inviting>,
  clientId: string,
  refusal: FedsvdError,
): Promise<void> {
  await run.messages.alert(refusal.code, `refused round ${roundNumber(round)}. ${refusal.message}`, clientId)
  if (FOR_GOOD.includes(refusal.code)) await run.participants.withdraw(clientId, refusal.code)
  if (refusal.code === 'UPDATE_STALE') run.failures.noteAhead(clientId, round)
  await journal.dispatch({ type: 'refused', clientId, at: run.time.clock.now() }) // last: it may close the round
}
