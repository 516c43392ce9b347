import type { RunManifest } from '@fedsvd/core/protocol'
import type { EpsilonBounds } from '../privacy/index.ts'
import type { PublishedRound, RunRecord, Store } from '../storage/records/index.ts'
import { notPrivateReason } from '../views/index.ts'

/** As many as one run has of all kinds that say so. */
const MOST_ALERTS = 2000

/** What one site has spent of its budget for a run, by the end of a round: an upper bound at this delta. */
export interface SiteEpsilon {
  readonly clientId: string
  readonly name: string
  readonly epsilon: number
}

/** All that a tracker may be told of a run: see docs/reference/trackers.md. */
export interface RunFacts {
  readonly runId: string
  readonly name: string
  readonly manifest: RunManifest
  readonly state: RunRecord['state']
  readonly createdAt: number
  readonly endedAt?: number
  /** Accuracy of guessing the most frequent class of the hold-out; absent without one. */
  readonly majority?: number
  /** True where no epsilon of the run holds, so that none is told. */
  readonly isNotPrivate: boolean
  /** In order of their number, from the first on. */
  readonly rounds: readonly PublishedRound[]
  /** Of the sites whose data had been used by the end of a round; empty for none, and for a run that is not private. */
  epsilonAfter(round: number): Promise<readonly SiteEpsilon[]>
}

/** Undefined for a run that does not exist. */
export async function factsOf(
  runId: string,
  { store, bounds }: { readonly store: Store; readonly bounds: EpsilonBounds },
): Promise<RunFacts | undefined> {
  const run = await store.runs.find(runId)
  if (run === undefined) return undefined
  const { manifest, state, createdAt, endedAt, baseline, reason } = run
  const isNotPrivate = notPrivateReason(reason, await store.alerts.list(runId, MOST_ALERTS)) !== undefined
  let sites: Promise<readonly SiteSpending[]> | undefined
  return {
    runId,
    name: manifest.name,
    manifest,
    state,
    createdAt,
    ...(endedAt !== undefined && { endedAt }),
    ...(baseline && { majority: baseline.majority }),
    isNotPrivate,
    rounds: await store.rounds.published(runId),
    async epsilonAfter(round) {
      if (isNotPrivate) return []
      sites ??= spendingOf(runId, store)
      const spent: SiteEpsilon[] = []
      for (const { clientId, name, delta, events } of await sites) {
        const until = events.filter((event) => event.round <= round)
        if (until.length === 0) continue
        const { epsilon } = await bounds.of(clientId).epsilonUpperBound(until, delta)
        spent.push({ clientId, name, epsilon })
      }
      return spent
    },
  }
}

interface SiteSpending {
  readonly clientId: string
  readonly name: string
  readonly delta: number
  readonly events: Awaited<ReturnType<Store['ledger']['spendingByRound']>>
}

async function spendingOf(runId: string, store: Store): Promise<readonly SiteSpending[]> {
  const [participants, spending] = await Promise.all([
    store.participants.ofRun(runId),
    store.ledger.spendingByRound(runId),
  ])
  const names = await store.clients.names(participants.map(({ clientId }) => clientId))
  return participants.map(({ clientId, terms }) => ({
    clientId,
    name: names.get(clientId) ?? clientId,
    delta: terms.budget.delta,
    events: spending.filter((event) => event.clientId === clientId),
  }))
}
