import { eventOfClientLevelRound } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import { type ClientLevel, LIMITS, type RunRequest } from '@fedsvd/core/protocol'
import type { EpsilonBounds } from './epsilon.ts'

/**
 * The client-level terms of a run as its manifest will state them. Without a noise multiplier, the least with which a
 * client that takes part in every round stays within the budget: there is no amplification by selection to count on.
 *
 * @throws FedsvdError DELTA_TOO_LARGE, BUDGET_TOO_SMALL or CONFIG_INVALID
 */
export async function clientLevelOf(
  asked: NonNullable<RunRequest['clientLevel']>,
  { rounds, clientsPerRound }: Pick<RunRequest, 'rounds' | 'clientsPerRound'>,
  bounds: EpsilonBounds,
): Promise<ClientLevel> {
  const { budget } = asked
  checkClientDelta(budget.delta, clientsPerRound)
  const question = { by: 'pld' as const, budget, sampleRate: 1, steps: rounds }
  const noiseMultiplier = asked.noiseMultiplier ?? (await bounds.noiseFor(question)) ?? LIMITS.noiseMultiplier.most
  const terms = { ...asked, noiseMultiplier }
  if (await bounds.fits([eventOfClientLevelRound(terms)], budget, { kind: 'gaussian' })) return terms
  throw new FedsvdError('BUDGET_TOO_SMALL', {
    expected: 'a client-level budget that buys one round',
    got: `epsilon ${budget.epsilon} at noise multiplier ${noiseMultiplier}`,
    remedy: 'Ask for a larger clientLevel.noiseMultiplier, or leave it out to have it calibrated.',
  })
}

/**
 * @throws FedsvdError DELTA_TOO_LARGE when delta exceeds 1 / clients: it would allow giving one client away entirely
 */
export function checkClientDelta(delta: number, clients: number): void {
  if (delta <= 1 / clients) return
  throw new FedsvdError('DELTA_TOO_LARGE', {
    expected: `a client-level delta of at most 1 / ${clients}, the number of clients`,
    got: String(delta),
    remedy: 'Open a run with a smaller clientLevel.budget.delta.',
  })
}
