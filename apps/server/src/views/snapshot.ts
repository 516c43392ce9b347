import { type AccountedEvent, ADVERSARY, finiteEpsilon, scheduleRule, unitOfRun } from '@fedsvd/core/accounting'
import {
  type Budget,
  type ClientLevel,
  isRunOver,
  type PrivacyTerms,
  planOf,
  type RunSnapshot,
} from '@fedsvd/core/protocol'
import { bestRound } from '../evaluation/index.ts'
import { type CentralLedger, type ClientCaps, type EpsilonBounds, PrivacySpending } from '../privacy/index.ts'
import { deliveredTasks } from '../rounds/index.ts'
import { type ActiveRun, mostSteps, readAlerts, shownAlerts } from '../runs/index.ts'
import type { Participant, RoundProgress, RunRecord, Store } from '../storage/records/index.ts'
import { leftOutOf } from './left-out.ts'
import { notPrivateReason } from './not-private.ts'
import { begunRounds, evaluationsOf, siteEvaluationOf } from './site-evaluation.ts'

export interface SnapshotParts {
  readonly store: Store
  readonly bounds: EpsilonBounds
  readonly central: CentralLedger
  readonly caps: ClientCaps
  readonly isConnected: (clientId: string) => boolean
  /** The run when it is open. */
  readonly live: ActiveRun | undefined
  /** How many of the newest rounds are told; all of them where it is absent. */
  readonly newest?: number | undefined
}

/** A run as its operators see it, from what is stored and who is there. */
export async function snapshotOf(run: RunRecord, given: SnapshotParts): Promise<RunSnapshot> {
  // The owner of a run may not know yet that another coordinator has ended it: what is stored counts then.
  const parts = isRunOver(run.state) ? { ...given, live: undefined } : given
  const { store, live, central, newest } = parts
  const { manifest, state, reason, baseline, keep } = run
  const { runId, name } = manifest
  // Other coordinators charge the central ledger, too.
  if (live === undefined && manifest.clientLevel !== undefined) await central.load()
  const since = newest === undefined ? 0 : Math.max(0, (await store.rounds.publishedCount(runId)) - newest)
  const [published, alerts, adapter, participants, plans, best] = await Promise.all([
    store.rounds.published(runId, since),
    readAlerts(store.alerts, runId),
    store.adapters.newest(runId),
    store.participants.ofRun(runId),
    store.runs.plans(runId),
    bestRound(store, manifest),
  ])
  const plan = plans.at(-1)
  const notPrivate = notPrivateReason(reason, alerts)
  const shown = shownAlerts(alerts)
  const taking = new Set(participants.map(({ clientId }) => clientId))
  const names = await store.clients.names([
    ...new Set([...taking, ...alerts.flatMap(({ clientId }) => clientId ?? [])]),
  ])
  const stored =
    live === undefined && !isRunOver(run.state) ? await store.rounds.find(runId, since + published.length) : undefined
  const leftOut = leftOutOf(
    alerts,
    (clientId) => taking.has(clientId),
    (clientId) => names.get(clientId) ?? clientId,
  )
  const current = currentOf(live?.rounds.current?.journal.progress ?? stored)
  const roundsDone = since + published.length
  const { rounds } = planOf(manifest, plan)
  const roundsAhead = Math.max(0, rounds - roundsDone - (current === undefined ? 0 : 1))
  const clients = await clientsOf(run, { ...parts, participants, names, roundsAhead })
  return {
    runId,
    name,
    state,
    manifest,
    plan: {
      ...planOf(manifest, plan),
      version: plan?.version ?? 0,
      ...(plan && { changedAt: new Date(plan.changedAt).toISOString(), changedBy: plan.changedBy }),
    },
    clients,
    roundsDone,
    ...(reason && { reason }),
    ...(notPrivate && { notPrivate }),
    ...(current && { current }),
    rounds: published.map(({ round, clients: counted, late, openedAt, publishedAt, evaluation, siteEvaluation }) => ({
      round,
      clients: [...counted],
      ...(late && { late: late.map(({ clientId, round: madeIn }): [string, number] => [clientId, madeIn]) }),
      seconds: (publishedAt - openedAt) / 1000,
      ...(evaluation && { evaluation }),
      ...(siteEvaluation && { siteEvaluation: siteEvaluationOf(manifest, siteEvaluation, names) }),
    })),
    ...(keep && { keep }),
    ...(baseline && { baseline }),
    ...(best && { best }),
    ...(leftOut.length > 0 && { leftOut }),
    alerts: shown.map(({ code, message, at, clientId }) => ({
      code,
      message,
      at: new Date(at).toISOString(),
      // Of a client that was refused, and so takes no part, as well.
      ...(clientId && { clientId, clientName: names.get(clientId) ?? clientId }),
    })),
    createdAt: new Date(run.createdAt).toISOString(),
    ...(run.endedAt !== undefined && { endedAt: new Date(run.endedAt).toISOString() }),
    ...(adapter?.clipNorm && { clipNorm: adapter.clipNorm }),
    ...(adapter?.clientClipNorm && { clientClipNorm: adapter.clientClipNorm }),
    ...(adapter?.factors && { refactorisation: { round: adapter.number - 1, ...adapter.factors } }),
    ...(adapter && { adapter: adapter.sha256 }),
  }
}

interface ClientParts extends SnapshotParts {
  readonly participants: readonly Participant[]
  readonly names: ReadonlyMap<string, string>
  /** Rounds of the plan that have not begun. */
  readonly roundsAhead: number
}

async function clientsOf(run: RunRecord, parts: ClientParts): Promise<RunSnapshot['clients']> {
  const { store, bounds, central, isConnected, live, participants, names } = parts
  const { manifest, state } = run
  const { runId, clientLevel } = manifest
  const unit = unitOfRun(manifest)
  const isOpen = !isRunOver(state)
  const spending = live?.budgets.spending ?? new PrivacySpending(await store.ledger.spending(runId))
  const begun = manifest.siteEvaluation === undefined ? 0 : await begunRounds(store, manifest)
  const clients: RunSnapshot['clients'] = []
  for (const { clientId, terms, withdrawal } of participants) {
    const events = spending.of(clientId)
    const { sampleRate, noiseMultiplier, budget } = terms
    const next = { sampleRate, noiseMultiplier, steps: 1 }
    const own = bounds.of(clientId)
    const exhausted =
      withdrawal === 'BUDGET_EXHAUSTED' || !(await own.fits([...events, next], budget, scheduleRule(terms)))
    clients.push({
      clientId,
      name: names.get(clientId) ?? clientId,
      connected: isConnected(clientId),
      steps: spending.stepsOf(clientId),
      ...(await worstOf(events, evaluationsOf(manifest, begun, events), budget, own)),
      delta: budget.delta,
      budget: budget.epsilon,
      exhausted,
      ...(withdrawal && { withdrawal }),
      unit,
      adversary: ADVERSARY[unit],
      ...(isOpen && {
        ...(await capOf(clientId, terms, parts.caps, own)),
        roundsLeft: exhausted || withdrawal !== undefined ? 0 : await roundsLeftOf(clientId, terms, events, run, parts),
      }),
      ...(clientLevel && { clientLevel: await centralOf(clientId, clientLevel, central, own) }),
    })
  }
  return clients
}

/** A unit was either trained on or set aside: the dearer of both. */
async function worstOf(
  trained: readonly AccountedEvent[],
  evaluated: readonly AccountedEvent[],
  budget: Budget,
  bounds: EpsilonBounds,
): Promise<{ epsilonUpperBound: number; looseBound?: true }> {
  const training = await epsilonOf(trained, budget, bounds)
  if (evaluated.length === 0) return training
  const evaluation = await epsilonOf(evaluated, budget, bounds)
  return evaluation.epsilonUpperBound > training.epsilonUpperBound ? evaluation : training
}

/** Rounds of those ahead that a client can pay for, by its own budget and the cap on it, were it asked in each. */
async function roundsLeftOf(
  clientId: string,
  terms: PrivacyTerms,
  events: readonly AccountedEvent[],
  { manifest }: RunRecord,
  { bounds, caps, roundsAhead }: ClientParts,
): Promise<number> {
  if (roundsAhead === 0) return 0
  const { sampleRate, noiseMultiplier, budget } = terms
  return await mostSteps(roundsAhead, async (rounds) => {
    const steps = rounds * manifest.localSteps
    const after = [...events, { sampleRate, noiseMultiplier, steps }]
    const { epsilon } = await bounds.of(clientId).epsilonUpperBound(after, budget.delta)
    return epsilon <= budget.epsilon && (await caps.allows(clientId, terms, steps))
  })
}

/** What all runs have cost a client on which an operator has put a cap; a run that has ended is a record, without. */
async function capOf(
  clientId: string,
  terms: PrivacyTerms,
  caps: ClientCaps,
  bounds: EpsilonBounds,
): Promise<Pick<RunSnapshot['clients'][number], 'cap'>> {
  const cap = caps.of(clientId)
  if (cap === undefined) return {}
  const { epsilon: budget, delta } = cap
  const spent = await epsilonOf(caps.eventsOf(clientId), cap, bounds)
  return { cap: { ...spent, delta, budget, exhausted: !(await caps.allows(clientId, terms, 1)) } }
}

/** What the coordinator's own noise has cost a client, in all runs. */
async function centralOf(
  clientId: string,
  terms: ClientLevel,
  central: CentralLedger,
  bounds: EpsilonBounds,
): Promise<NonNullable<RunSnapshot['clients'][number]['clientLevel']>> {
  const events = central.eventsOf(clientId)
  return {
    draws: events.reduce((sum, { steps }) => sum + steps, 0),
    ...(await epsilonOf(events, terms.budget, bounds)),
    delta: terms.budget.delta,
    budget: terms.budget.epsilon,
    exhausted: !(await central.canPay(clientId, terms)),
    unit: 'client',
    adversary: ADVERSARY.client,
  }
}

/** JSON has no infinity: events that nothing can bound show the largest number there is, and say so. */
async function epsilonOf(
  events: Parameters<EpsilonBounds['epsilonUpperBound']>[0],
  { delta }: Budget,
  bounds: EpsilonBounds,
): Promise<{ epsilonUpperBound: number; looseBound?: true }> {
  const { epsilon, by } = await bounds.epsilonUpperBound(events, delta)
  return { epsilonUpperBound: finiteEpsilon(epsilon), ...(by !== 'pld' && { looseBound: true }) }
}

function currentOf(progress: RoundProgress | undefined): RunSnapshot['current'] {
  if (progress === undefined || progress.phase === 'published') return undefined
  const { round, phase, tasks, late = [], openedAt, deadline, extensions } = progress
  const selected = tasks.filter(({ state }) => state !== 'refused').map(({ clientId }) => clientId)
  return {
    round,
    state: phase,
    selected,
    received: [...deliveredTasks(progress), ...late].map(({ clientId }) => clientId).sort(),
    openedAt: new Date(openedAt).toISOString(),
    deadline: new Date(deadline).toISOString(),
    extensions,
  }
}
