import { canonicalJson, type MakeFilter, sha256Hex } from '@fedsvd/client/ledger'
import { type AccountedEvent, eventOfRound } from '@fedsvd/core/accounting'
import type { PrivacyTerms, RunManifest } from '@fedsvd/core/protocol'
import type { BoundRun } from '../../../../apps/client/src/ledger/state.ts'

export const RUN_A = '11111111-1111-4111-8111-111111111111'
export const RUN_B = '22222222-2222-4222-8222-222222222222'
export const FINGERPRINT = sha256Hex('records of a test')
export const BUDGET = { epsilon: 6, delta: 1e-5 } as const

/** A run on a model of one tiny layer: nine trained numbers in all. */
export function sampleManifest(changes: Partial<RunManifest> = {}): RunManifest {
  return {
    runId: RUN_A,
    name: 'a test run',
    method: 'fedsvd',
    model: { name: 'none', maxTokens: 8 },
    labels: ['ham', 'spam'],
    adapter: {
      rank: 1,
      alpha: 1,
      layers: [{ name: 'layer', dIn: 2, dOut: 3 }],
      head: [
        { name: 'head.weight', shape: [2, 2] },
        { name: 'head.bias', shape: [2] },
      ],
      headMode: 'trained',
    },
    rounds: 4,
    localSteps: 5,
    expectedLotSize: 10,
    clipNorm: 1,
    learningRate: 0.1,
    momentum: 0,
    target: BUDGET,
    clientsPerRound: 1,
    quorum: 1,
    deadlineSeconds: 60,
    seed: 'test',
    ...changes,
  }
}

export const TERMS: PrivacyTerms = { declaredRecords: 100, sampleRate: 0.1, noiseMultiplier: 2, budget: BUDGET }

/** A run as the ledger binds it. */
export function sampleBound(manifest = sampleManifest(), terms = TERMS): BoundRun {
  return {
    runId: manifest.runId,
    coordinator: 'http://coordinator.test',
    manifestSha256: sha256Hex(canonicalJson(manifest)),
    terms,
    event: eventOfRound(manifest, terms),
  }
}

/**
 * Filters simple enough to check by head: each step costs `cost`, whatever its noise and whatever the rule. Real ones
 * are tested in core; here only the use that the ledger makes of one is.
 */
export function perStep(cost: number): MakeFilter {
  const epsilonOf = (events: readonly AccountedEvent[]) => cost * events.reduce((sum, { steps }) => sum + steps, 0)
  return (rule) => ({
    name: 'filter',
    rule,
    allows: (events, { epsilon }) => epsilonOf(events) <= epsilon,
    epsilonUpperBound: epsilonOf,
    deltaUpperBound: () => 0,
    init: (delta) => ({ delta, events: [] }),
    append: ({ delta, events }, event) => ({ delta, events: [...events, event] }),
    epsilon: ({ events }) => epsilonOf(events),
  })
}
