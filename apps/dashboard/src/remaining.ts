import { bufferOf, planOf, type RunSnapshot, resolveManifest } from '@fedsvd/core/protocol'
import { type Client, isOpen, isUsedUp } from './run-facts.ts'

/** How far budgets reach, in rounds: what is planned to be spent is no news, what falls short of the plan is. */

/** Rounds of the plan that have not begun. */
export function roundsAhead(run: RunSnapshot): number {
  const { rounds } = planOf(run.manifest, run.plan)
  return isOpen(run) ? Math.max(0, rounds - run.roundsDone - (run.current === undefined ? 0 : 1)) : 0
}

/** In how many of the rounds ahead a site is asked on average, rounded up: sites are chosen evenly. */
export function expectedRounds(run: RunSnapshot): number {
  const { clientsPerRound } = planOf(run.manifest, run.plan)
  const ahead = roundsAhead(run)
  const buffer = bufferOf(run.manifest)
  const sites = Math.max(1, run.clients.filter(({ withdrawal }) => withdrawal === undefined).length)
  if (buffer !== undefined) return Math.ceil((ahead * buffer.bufferSize) / sites)
  const asked = Math.ceil(clientsPerRound * resolveManifest(run.manifest).overSelection)
  return Math.min(ahead, Math.ceil((ahead * asked) / sites))
}

/** By how many rounds the budget of a site falls short of what the plan will ask of it; 0 where it lasts. */
export function shortfallOf(run: RunSnapshot, { roundsLeft, withdrawal }: Client): number {
  const left = withdrawal === undefined || withdrawal === 'BUDGET_EXHAUSTED' ? roundsLeft : undefined
  return left === undefined ? 0 : Math.max(0, expectedRounds(run) - left)
}

/**
 * How much of what a site can give in a run is given, from 0 to 1: in rounds as long as the run is open, as epsilon
 * grows fastest at first (half of a budget for six rounds may be gone after the first); in epsilon of a run that has
 * ended.
 */
export function givenShare(run: RunSnapshot, client: Client): number {
  const { steps, roundsLeft, epsilonUpperBound, budget } = client
  if (roundsLeft === undefined) return Math.min(1, epsilonUpperBound / budget)
  const given = steps / run.manifest.localSteps
  if (given + roundsLeft === 0) return isUsedUp(client) ? 1 : 0
  return given / (given + roundsLeft)
}

/** The sites whose budgets reach least far first. */
export function byRemaining(run: RunSnapshot): readonly Client[] {
  const left = ({ roundsLeft = 0 }: Client): number => roundsLeft
  return run.clients.toSorted((one, other) => {
    return left(one) - left(other) || givenShare(run, other) - givenShare(run, one)
  })
}
