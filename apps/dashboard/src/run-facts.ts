import { roundNumber } from '@fedsvd/core/errors'
import { bufferOf, isRunOver, planOf, type RunSnapshot } from '@fedsvd/core/protocol'

/** What is to be read off a snapshot, in one place. */

export type Client = RunSnapshot['clients'][number]

/** True as long as it can go on. */
export function isOpen({ state }: RunSnapshot): boolean {
  return !isRunOver(state)
}

/** Of each published round, how many states old the updates of earlier ones were that it counted. */
export function stalenessOf({ rounds }: RunSnapshot): ReadonlyMap<number, readonly number[]> {
  return new Map(rounds.map(({ round, late = [] }) => [round, late.map(([, madeIn]) => round - madeIn)]))
}

/** The client with the largest share of its budget spent. */
export function mostSpent({ clients }: RunSnapshot): Client | undefined {
  return clients.toSorted((left, right) => shareOf(right) - shareOf(left))[0]
}

/** The client with the largest epsilon. */
export function worst({ clients }: RunSnapshot): Client | undefined {
  return clients.toSorted((left, right) => right.epsilonUpperBound - left.epsilonUpperBound)[0]
}

/**
 * The largest epsilon of a client as a whole, against everyone but the coordinator; undefined where no run noises for
 * it.
 */
export function worstOfClients({ clients }: RunSnapshot): Client['clientLevel'] {
  return clients
    .flatMap(({ clientLevel }) => clientLevel ?? [])
    .toSorted((left, right) => right.epsilonUpperBound - left.epsilonUpperBound)[0]
}

/**
 * How much is spent of the tighter of two limits: what the site stated for the run, and the cap of an operator on all
 * runs.
 */
export function shareOf({ epsilonUpperBound, budget, cap }: Client): number {
  return Math.max(epsilonUpperBound / budget, cap === undefined ? 0 : cap.epsilonUpperBound / cap.budget)
}

export function isUsedUp({ exhausted, cap }: Client): boolean {
  return exhausted || cap?.exhausted === true
}

export function newestEvaluation({ rounds }: RunSnapshot) {
  return rounds.findLast(({ evaluation }) => evaluation !== undefined)?.evaluation
}

export interface Warning {
  readonly kind: 'budget' | 'ledger' | 'stalled' | 'rejected' | 'refused' | 'other'
  readonly text: string
  readonly at?: string
}

/** A budget counts as nearly gone from here on. */
const NEARLY_GONE = 0.9
const REJECTED = [
  'NORM_EXCEEDED',
  'FRAME_MALFORMED',
  'FRAME_TOO_LARGE',
  'FRAME_CHECKSUM',
  'SHAPE_MISMATCH',
  'NOT_FINITE',
]
const REFUSED = ['BUDGET_EXHAUSTED', 'BUDGET_TOO_SMALL', 'DELTA_TOO_LARGE']

/** What an operator should look at, the most pressing first. */
export function warningsOf(run: RunSnapshot, now: number): readonly Warning[] {
  const { current, clients, alerts } = run
  const warnings: Warning[] = []
  if (isOpen(run) && run.state !== 'paused' && current !== undefined) {
    const isLate = current.state === 'tasked' && current.deadline !== undefined && Date.parse(current.deadline) < now
    if ((current.extensions ?? 0) > 0 || isLate) {
      const got = `${current.received.length} of ${planOf(run.manifest, run.plan).quorum} updates needed`
      const what = bufferOf(run.manifest) === undefined ? 'Round' : 'Buffer'
      warnings.push({
        kind: 'stalled',
        text: `${what} ${roundNumber(current.round)} is stalled: its deadline has passed with ${got}`,
      })
    }
  }
  const gone = clients.filter(isUsedUp)
  const near = clients.filter((client) => !isUsedUp(client) && shareOf(client) >= NEARLY_GONE)
  if (gone.length > 0) warnings.push({ kind: 'budget', text: `Budget gone: ${namesOf(gone)}` })
  if (near.length > 0) warnings.push({ kind: 'budget', text: `Budget nearly gone: ${namesOf(near)}` })
  const nameOf = (id?: string) => clients.find(({ clientId }) => clientId === id)?.name
  for (const { code, message, at, clientId } of alerts.toReversed()) {
    const kind =
      code === 'LEDGER_MISMATCH'
        ? 'ledger'
        : REJECTED.includes(code)
          ? 'rejected'
          : REFUSED.includes(code)
            ? 'refused'
            : 'other'
    const name = nameOf(clientId)
    warnings.push({ kind, at, text: name === undefined ? message : `${name}: ${message}` })
  }
  return warnings
}

function namesOf(clients: readonly Client[]): string {
  const names = clients.map(({ name }) => name)
  return names.length <= 4 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
}
