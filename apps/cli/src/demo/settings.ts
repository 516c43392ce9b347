import type { RunRequest } from '@fedsvd/core/protocol'
import type { StarterClient } from '@fedsvd/starter/corpus'

/** The budget of each client: an upper bound on epsilon at this delta, per record, add-or-remove-one. */
export const DEMO_BUDGET = { epsilon: 6, delta: 1e-5 } as const

export const DEMO_LABELS = ['ham', 'spam'] as const

/** What each client declares in place of its number of records: chosen by hand, as a site does. */
export const DEMO_DECLARED: Readonly<Record<StarterClient['name'], number>> = {
  'open-source': 1600,
  community: 1200,
  newsdesk: 1200,
}

/** Choices of the demo that a user may vary. */
export interface DemoChoices {
  readonly quick: boolean
  readonly headMode: 'trained' | 'frozen'
  readonly seed: string
}

/**
 * The run that `fedsvd demo` asks for: the starter encoder on SpamAssassin, three clients, all of them in every round.
 * The figures were tuned on the public hold-out; docs/log.md has the sweeps.
 */
export function demoRun({ quick, headMode, seed }: DemoChoices): RunRequest {
  return {
    name: quick ? 'demo (quick)' : 'demo',
    method: 'fedsvd',
    model: { name: 'starter', maxTokens: quick ? 32 : 128, featureScale: 10 },
    labels: [...DEMO_LABELS],
    adapter: { rank: 8, alpha: 8, headMode },
    rounds: quick ? 2 : 6,
    localSteps: quick ? 1 : 5,
    expectedLotSize: quick ? 32 : 128,
    clipNorm: 0.5,
    learningRate: 12,
    momentum: 0,
    target: { ...DEMO_BUDGET },
    clientsPerRound: 3,
    quorum: 3,
    deadlineSeconds: 600,
    seed,
  }
}
