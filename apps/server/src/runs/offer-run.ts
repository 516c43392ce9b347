import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { OfferReply, PrivacyTerms } from '@fedsvd/core/protocol'
import { retryDuringOutage } from '../platform/index.ts'
import { checkClientDelta, checkTerms, type EpsilonBounds, sameTerms } from '../privacy/index.ts'
import { invite, inviteStraggler } from '../rounds/index.ts'
import type { Participant } from '../storage/records/index.ts'
import type { ActiveRun } from './active-run.ts'

/**
 * A client that states terms which it cannot have is asked no more than this often: each answer has to be accounted
 * for. Those that are still looked at count, for a client that comes back before it has its verdict.
 */
const MOST_REFUSED_TERMS = 20

/**
 * Offers a run to a client that has connected. One that accepts takes part from now on, gets its open invitation again,
 * also one to an earlier round whose updates still count, or learns that the last round went on without it.
 * `connection` is aborted when the connection ends.
 *
 * @returns false where the client has not answered: somebody at its site may still have to decide
 */
export async function offerRun(
  run: ActiveRun,
  clientId: string,
  bounds: EpsilonBounds,
  connection: AbortSignal,
): Promise<boolean> {
  if (run.time.signal.aborted || run.participants.refusalsOf(clientId) >= MOST_REFUSED_TERMS) return true
  const reply = await run.messages.gateway.offer(clientId, { manifest: run.settings.manifest })
  if (reply === undefined) return false
  if (run.time.signal.aborted) return true // it is offered again when the run goes on
  const signal = AbortSignal.any([connection, run.time.signal])
  const takesPart = await retryDuringOutage(
    () => dealWith(run, clientId, reply, bounds, connection),
    run.time.clock,
    signal,
  )
  if (takesPart) await inviteToOpenRound(run, clientId)
  return true
}

async function inviteToOpenRound(run: ActiveRun, clientId: string): Promise<void> {
  const { runId } = run
  const { gateway } = run.messages
  const { current } = run.rounds
  if (current === undefined) return
  await invite(current, clientId)
  const staleRound = run.assignments.staleRoundOf(clientId)
  if (staleRound !== undefined) return await inviteStraggler(run, staleRound, clientId)
  const isAsked = current.journal.progress?.tasks.some((task) => task.clientId === clientId) ?? false
  if (!isAsked && current.round > 0) gateway.roundClosed(clientId, { runId, round: current.round - 1 })
}

/** Takes the client in, or notes why not; true when it takes part. Doing it twice changes nothing more. */
async function dealWith(
  run: ActiveRun,
  clientId: string,
  reply: OfferReply,
  bounds: EpsilonBounds,
  connection: AbortSignal,
): Promise<boolean> {
  if (!reply.accepted) {
    const refusal = FedsvdError.fromJSON(reply.error)
    await refuseOpenTask(run, clientId)
    run.messages.log.warn({ clientId, code: refusal.code }, 'client left out of the run: it declined')
    await run.messages.alert(refusal.code, `does not take part. ${refusal.message}`, clientId)
    return false
  }
  if (run.participants.refusalsOf(clientId) >= MOST_REFUSED_TERMS) return false
  run.participants.noteTerms(clientId, 'stated')
  try {
    const participant = await join(run, clientId, reply.terms, bounds)
    run.participants.noteTerms(clientId, 'accepted')
    if (connection.aborted) return false
    run.participants.enter(participant)
    return true
  } catch (error) {
    if (!isFedsvdError(error) || error.code === 'DATABASE_UNAVAILABLE') {
      run.participants.noteTerms(clientId, 'unanswered')
      throw error
    }
    run.messages.log.warn({ clientId, code: error.code }, 'client left out of the run: its terms were refused')
    await run.messages.alert(error.code, `its terms were refused. ${error.message}`, clientId)
    run.messages.gateway.runEnded(clientId, {
      runId: run.runId,
      state: 'stopped',
      reason: error.message,
      code: error.code,
    })
    return false
  }
}

async function join(
  run: ActiveRun,
  clientId: string,
  terms: PrivacyTerms,
  bounds: EpsilonBounds,
): Promise<Participant> {
  const { runId, participants, time } = run
  const { manifest } = run.settings
  const { store } = run.storage
  const known = participants.find(clientId)
  if (known !== undefined) requireSameTerms(known, terms) // without a question to the accountants
  await checkTerms(manifest, terms, bounds.of(clientId))
  const cohort = new Set([...participants.all.map((other) => other.clientId), clientId])
  if (manifest.clientLevel !== undefined) checkClientDelta(manifest.clientLevel.budget.delta, cohort.size)
  const { withdrawal, ...participant } = await store.participants.join({
    runId,
    clientId,
    terms,
    joinedAt: time.clock.now(),
  })
  requireSameTerms(participant, terms)
  if (withdrawal !== undefined) await store.participants.setWithdrawal(runId, clientId, undefined)
  if (known === undefined) await tellNamesakes(run, clientId)
  return participant
}

function requireSameTerms({ terms: first }: Pick<Participant, 'terms'>, terms: PrivacyTerms): void {
  if (sameTerms(first, terms)) return
  throw new FedsvdError('TERMS_CHANGED', {
    expected: `the terms that were stated first: ${JSON.stringify(first)}`,
    got: JSON.stringify(terms),
    remedy: 'Terms hold for a whole run; restore the state folder of the client.',
  })
}

/** A site that lost its state folder comes back under its old name, and with a budget that begins anew. */
async function tellNamesakes(run: ActiveRun, clientId: string): Promise<void> {
  const client = await run.storage.store.clients.find(clientId)
  if (client === undefined) return
  const earlier = (await run.storage.store.clients.namesakes(client.name)).filter(
    ({ id, enrolledAt }) => id !== clientId && enrolledAt <= client.enrolledAt,
  )
  for (const { id, name, revokedAt } of earlier) {
    const standing = revokedAt === undefined ? 'which is in good standing' : 'which was revoked'
    const message =
      `has a name that is read as "${name}", that of client ${id}, ${standing}. If it is the same site without its state ` +
      'folder, what that client spent is not in its new ledger: lower its cap by it, or do not let it train.'
    await run.messages.alert('NAME_REUSED', message, clientId)
  }
}

async function refuseOpenTask({ rounds, time }: ActiveRun, clientId: string): Promise<void> {
  const { current } = rounds
  if (current?.journal.progress?.phase !== 'tasked') return
  await current.journal.dispatch({ type: 'refused', clientId, at: time.clock.now() })
}
