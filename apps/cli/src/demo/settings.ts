import { MANIFEST_DEFAULTS, type RunRequest, runDefaults, STARTER_MODEL } from '@fedsvd/core/protocol'
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

/** The run that `fedsvd demo` asks for: the starter encoder on SpamAssassin, all three clients in every round. */
export function demoRun({ quick, headMode, seed }: DemoChoices): RunRequest {
  const { model, adapter, ...usual } = runDefaults({ model: STARTER_MODEL, task: MANIFEST_DEFAULTS.task })
  return {
    ...usual,
    ...(quick && { rounds: 2, localSteps: 1, expectedLotSize: 32 }),
    name: quick ? 'demo (quick)' : 'demo',
    method: 'fedsvd',
    model: { name: STARTER_MODEL, ...model, ...(quick && { maxTokens: 32 }) },
    labels: [...DEMO_LABELS],
    adapter: { ...adapter, headMode },
    target: { ...DEMO_BUDGET },
    clientsPerRound: 3,
    quorum: 3,
    seed,
  }
}
