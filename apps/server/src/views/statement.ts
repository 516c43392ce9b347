import { type AccountedEvent, ADVERSARY, finiteEpsilon, unitOfRun } from '@fedsvd/core/accounting'
import { deltaOfFigures } from '@fedsvd/core/privacy'
import { type ClientSpending, type PrivacyStatement, planOf, type RunSnapshot } from '@fedsvd/core/protocol'
import type { EpsilonBounds } from '../privacy/index.ts'

export interface StatementFacts {
  readonly run: RunSnapshot
  readonly client: ClientSpending
  readonly publicKey: string
  readonly bounds: EpsilonBounds
  /** The release of fedsvd that states it. */
  readonly version: string
  readonly now: number
}

/** What a client has spent in one run, as the coordinator has counted it. */
export async function privacyStatement({
  run,
  client,
  publicKey,
  bounds,
  version,
  now,
}: StatementFacts): Promise<PrivacyStatement> {
  const { runId, name, state, roundsDone, manifest } = run
  const { method, clipNorm } = manifest
  const { rounds } = planOf(manifest, run.plan) // a run may have been extended, or shortened
  const { budget } = client.terms
  const unit = unitOfRun(manifest)
  const events = client.mechanisms.map(({ sampleRate, noiseMultiplier, spent }) => ({
    mechanism: 'poisson-subsampled-gaussian' as const,
    sampleRate,
    noiseMultiplier,
    steps: spent.reduce((sum, [, steps]) => sum + steps, 0),
    clipNorm,
    rounds: spent.length,
  }))
  const releases = events.reduce((sum, event) => sum + event.rounds, 0)
  const forEvents = deltaOfFigures(budget.delta, releases)
  const clientLevel = run.clients.find(({ clientId }) => clientId === client.clientId)?.clientLevel
  return {
    kind: 'fedsvd-privacy-statement',
    version: 1,
    madeAt: new Date(now).toISOString(),
    run: { runId, name, method, state, rounds, roundsDone },
    client: { clientId: client.clientId, name: client.name, publicKey },
    guarantee: {
      unit,
      ...(manifest.unit && { maxRecordsPerUnit: manifest.unit.maxRecords }),
      relation: 'add-or-remove-one',
      sampling: 'poisson',
      ...(await boundsOf(events, forEvents, bounds)),
      delta: budget.delta,
      deltaOfMissedSlots: Math.max(0, budget.delta - forEvents),
      budget: { epsilon: budget.epsilon, delta: budget.delta },
      adversary: ADVERSARY[unit],
    },
    events,
    ...(clientLevel && {
      clientLevel: {
        draws: clientLevel.draws,
        epsilonPld: clientLevel.epsilonUpperBound,
        delta: clientLevel.delta,
        adversary: clientLevel.adversary,
      },
    }),
    code: { name: 'fedsvd', version },
  }
}

/** JSON has no infinity: events that no accountant can bound show the largest number there is. */
async function boundsOf(events: readonly AccountedEvent[], delta: number, bounds: EpsilonBounds) {
  return {
    epsilonPld: finiteEpsilon((await bounds.epsilonUpperBound(events, delta)).epsilon),
    epsilonRdp: finiteEpsilon((await bounds.renyi(events, delta)).epsilon),
  }
}
