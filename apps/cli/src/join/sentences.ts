import type { ClientEvent } from '@fedsvd/client'
import type { PendingRun } from '@fedsvd/client/approvals'
import { roundNumber } from '@fedsvd/core/errors'

/** What a client tells its site, in words. */
export function sentence(event: Exclude<ClientEvent, { event: 'part' | 'step' }>): string {
  switch (event.event) {
    case 'data-loaded':
      return `loaded ${event.records} records of ${event.rows} rows in ${event.files} ${event.files === 1 ? 'file' : 'files'}, data set ${event.fingerprint.slice(0, 12)}, unit of privacy: ${event.unit}${event.withoutUnit > 0 ? ` (${event.withoutUnit} more name no person and are left out)` : ''}`
    case 'records-left-out': {
      const records = `${event.count} ${event.count === 1 ? 'record is' : 'records are'} left out`
      const where = event.runId === undefined ? 'rows that are no records' : `run ${event.runId} cannot take them`
      const reasons = event.reasons.map(({ reason, count }) => `; ${count} × expected ${reason}`).join('')
      const first = event.first === undefined ? '' : `; the first: ${lineOf(event.first)}`
      const decline = event.runId !== undefined && event.first?.code === 'LABEL_UNKNOWN'
      return `${records}: ${where}${reasons}${first}${decline ? ' A site that names its labels with --declared-labels declines such a run before it costs anything.' : ''}`
    }
    case 'budget':
      return budgetSentence(event)
    case 'budget-renewed':
      return `budget "${event.name}" renewed, as the data owner signed from ${event.from} on: epsilon ${event.budget.epsilon} at delta ${event.budget.delta} for this period`
    case 'declared':
      return `declares ${event.declaredRecords} records${event.labels === undefined ? '' : `, labels ${event.labels.join(', ')}`}${declaredTooFew(event)}`
    case 'data-changed':
      return `${event.path} was changed: this client goes on with the records of its start; start it again to take up others`
    case 'state-exposed':
      return `WARNING: others on this machine have rights to the state folder ${event.path} (${event.rights}): it holds the key of this site, its ledger and its records as tokens; chmod 700 ${event.path}`
    case 'ledgers-adopted':
      return `${event.count} earlier ${event.count === 1 ? 'ledger counts' : 'ledgers count'} in the budget of this site`
    case 'waiting':
      return `enrolling at ${event.coordinator}`
    case 'enrolled':
      return `enrolled as ${event.clientId}`
    case 'connected':
      return `connected to ${event.coordinator}${event.transport === 'polling' ? ' by long polling: WebSocket is blocked on the way' : ''}`
    case 'disconnected':
      return `connection lost (${event.reason}); trying again`
    case 'unreachable':
      return lineOf(event.error)
    case 'dropped':
      return `dropped a message: ${lineOf(event.error)}`
    case 'refused':
      return `turned away: ${lineOf(event.error)}`
    case 'joined': {
      const { noiseMultiplier, sampleRate, budget } = event.terms
      return `joined "${event.name}": noise multiplier ${noiseMultiplier.toFixed(3)}, sample rate ${sampleRate.toFixed(4)}, epsilon at most ${budget.epsilon} at delta ${budget.delta} per ${event.unit}`
    }
    case 'pending':
      return pendingSentence(event.run)
    case 'declined':
      return `declined${event.name === undefined ? '' : ` "${event.name}"`}${event.round === undefined ? '' : `, round ${roundNumber(event.round)}`}: ${lineOf(event.error)}`
    case 'round-started':
      return `round ${roundNumber(event.round)} of ${event.rounds}: training`
    case 'round-shortened':
      return `round ${roundNumber(event.round)}: the budget pays for ${event.steps} of its ${event.of} steps`
    case 'not-evaluated':
      return `round ${roundNumber(event.round)}: no evaluation; the budget of the records set aside does not pay for it`
    case 'round-resumed':
      return `round ${roundNumber(event.round)}: resumes after step ${event.step} of ${event.steps}`
    case 'release-slot':
      if (event.seconds === 0) return 'updates leave when they are made: how long training took is not protected'
      return `updates leave every ${event.seconds.toFixed(1)} s${event.fits ? '' : ', which is longer than the deadline of a round: they will be late'}`
    case 'lot-failed':
      return `round ${roundNumber(event.round)}, step ${event.step} of ${event.steps}: records that the engine failed on were left out: ${lineOf(event.error)}`
    case 'disk-full':
      return `waiting for room on the disk: ${lineOf(event.error)}`
    case 'disk-has-room':
      return 'there is room on the disk again'
    case 'round-delivered':
      return `round ${roundNumber(event.round)}: update delivered`
    case 'round-failed':
      return `round ${roundNumber(event.round)} failed: ${lineOf(event.error)}`
    case 'ledger-mismatch':
      return `the coordinator's record differs from this ledger${event.error ? `: ${lineOf(event.error)}` : ''}`
    case 'run-paused':
      return event.round === undefined
        ? 'the run is paused'
        : `the run is paused: round ${roundNumber(event.round)} is held`
    case 'run-ended':
      return `run ${event.state}${event.reason ? `: ${event.reason}` : ''}`
  }
}

/** The limit, what is spent and left of it, of whose units, and where the limit comes from. */
function budgetSentence({ name, budget, asked, source, ...used }: Extract<ClientEvent, { event: 'budget' }>): string {
  const { epsilon, delta } = budget
  const figures = `limit epsilon ${epsilon} at delta ${delta} per ${used.unit}, spent ${used.epsilonCharged.toFixed(4)}, left ${used.remaining.toFixed(4)}`
  const why =
    source === 'settings'
      ? 'as set at this start'
      : `as ${used.ledger} has it, not epsilon ${asked.epsilon} at delta ${asked.delta} as set at this start: a budget can be lowered, never raised`
  const { renewed } = used
  const periods =
    renewed === undefined
      ? ''
      : `; of this period, since ${renewed.since}: all ${renewed.times + 1} periods together at most epsilon ${renewed.inAll.epsilon} at delta ${renewed.inAll.delta}`
  return `budget "${name}": ${figures} (${why})${periods}`
}

function pendingSentence({ name, runId, coordinator, model, steps, terms, cost }: PendingRun): string {
  const { epsilon, delta } = terms.budget
  const price = `epsilon at most ${epsilon} at delta ${delta}, noise multiplier ${terms.noiseMultiplier.toFixed(3)}, ${steps} steps on ${model}`
  return `"${name}" of ${coordinator} waits for a decision: ${price}; left afterwards ${cost.remainingAfter.toFixed(4)} of ${cost.epsilon}. fedsvd site approve ${runId}, or fedsvd site decline ${runId}`
}

/** What a count far from the true one means, for the site's own eyes. */
function declaredTooFew({ declaredRecords, records }: { declaredRecords: number; records: number }): string {
  if (records === 0) return '; WARNING: there are none, so this site sends noise only'
  if (declaredRecords < records) return ` of ${records}: lots are larger than a run expects, by the same factor`
  if (declaredRecords > 2 * records) return ` for ${records}: lots are smaller than a run expects, by the same factor`
  return ''
}

function lineOf({
  code,
  expected,
  got,
  remedy,
}: {
  code: string
  expected: string
  got: string
  remedy: string
}): string {
  return `${code}: expected ${expected}, got ${got}. ${remedy}`
}
