import { setImmediate } from 'node:timers/promises'
import { ADVERSARY } from '@fedsvd/core/accounting'
import type { Budget, ClientLevel, RunManifest, RunSnapshot } from '@fedsvd/core/protocol'
import { type CentralLedger, type EpsilonBounds, SpendingBook } from '../privacy/index.ts'
import { deliveredTasks } from '../rounds/index.ts'
import type { RoundProgress, RunRecord, Store } from '../store/index.ts'
import type { LiveRun } from './live-run.ts'

const MOST_ALERTS = 100

export interface SnapshotParts {
  readonly store: Store
  readonly bounds: EpsilonBounds
  readonly central: CentralLedger
  readonly isConnected: (clientId: string) => boolean
  /** The run when it is open. */
  readonly live: LiveRun | undefined
}

/** A run as its operators see it, from what is stored and who is there. */
export async function snapshotOf(run: RunRecord, parts: SnapshotParts): Promise<RunSnapshot> {
  const { store, live, central } = parts
  const { manifest, state, reason, baseline } = run
  const { runId, name } = manifest
  if (live === undefined && manifest.clientLevel !== undefined) await central.load() // others charge it, too
  const [published, alerts, adapter, clients] = await Promise.all([
    store.rounds.published(runId),
    store.alerts.list(runId, MOST_ALERTS),
    store.runs.newestAdapter(runId),
    clientsOf(manifest, parts),
  ])
  const isOpen = state === 'waiting' || state === 'running'
  const stored = live === undefined && isOpen ? await store.rounds.find(runId, published.length) : undefined
  const current = currentOf(live?.current?.book.progress ?? stored)
  return {
    runId,
    name,
    state,
    manifest,
    clients,
    roundsDone: published.length,
    ...(reason && { reason }),
    ...(current && { current }),
    rounds: published.map(({ round, clients: counted, openedAt, publishedAt, evaluation }) => ({
      round,
      clients: [...counted],
      seconds: (publishedAt - openedAt) / 1000,
      ...(evaluation && { evaluation }),
    })),
    ...(baseline && { baseline }),
    alerts: alerts.map(({ code, message, at, clientId }) => ({
      code,
      message,
      at: new Date(at).toISOString(),
      ...(clientId && { clientId }),
    })),
    createdAt: new Date(run.createdAt).toISOString(),
    ...(run.endedAt !== undefined && { endedAt: new Date(run.endedAt).toISOString() }),
    ...(adapter?.clipNorm && { clipNorm: adapter.clipNorm }),
    ...(adapter?.clientClipNorm && { clientClipNorm: adapter.clientClipNorm }),
    ...(adapter && { adapter: adapter.sha256 }),
  }
}

async function clientsOf(
  { runId, localSteps, clientLevel }: RunManifest,
  { store, bounds, central, isConnected, live }: SnapshotParts,
): Promise<RunSnapshot['clients']> {
  const participants = await store.runs.participants(runId)
  const names = await store.clients.names(participants.map(({ clientId }) => clientId))
  const spending = live?.spending ?? new SpendingBook(await store.ledger.spending(runId))
  const clients: RunSnapshot['clients'] = []
  for (const { clientId, terms, withdrawal } of participants) {
    const events = spending.of(clientId)
    const { sampleRate, noiseMultiplier, budget } = terms
    const next = { sampleRate, noiseMultiplier, steps: localSteps }
    clients.push({
      clientId,
      name: names.get(clientId) ?? clientId,
      connected: isConnected(clientId),
      steps: spending.stepsOf(clientId),
      epsilonUpperBound: epsilonOf(events, budget, bounds),
      delta: budget.delta,
      budget: budget.epsilon,
      exhausted: withdrawal === 'BUDGET_EXHAUSTED' || !bounds.fits([...events, next], budget),
      unit: 'record',
      adversary: ADVERSARY.record,
      ...(clientLevel && { clientLevel: centralOf(clientId, clientLevel, central, bounds) }),
    })
    await setImmediate() // accounting takes milliseconds a client: others are served in between
  }
  return clients
}

/** What the coordinator's own noise has cost a client, in all runs. */
function centralOf(
  clientId: string,
  terms: ClientLevel,
  central: CentralLedger,
  bounds: EpsilonBounds,
): NonNullable<RunSnapshot['clients'][number]['clientLevel']> {
  const events = central.eventsOf(clientId)
  return {
    draws: events.reduce((sum, { steps }) => sum + steps, 0),
    epsilonUpperBound: epsilonOf(events, terms.budget, bounds),
    delta: terms.budget.delta,
    budget: terms.budget.epsilon,
    exhausted: !central.canPay(clientId, terms),
    unit: 'client',
    adversary: ADVERSARY.client,
  }
}

/** JSON has no infinity: events that no accountant can bound show the largest number there is. */
function epsilonOf(
  events: Parameters<EpsilonBounds['epsilonUpperBound']>[0],
  { delta }: Budget,
  bounds: EpsilonBounds,
): number {
  return Math.min(bounds.epsilonUpperBound(events, delta), Number.MAX_VALUE)
}

function currentOf(progress: RoundProgress | undefined): RunSnapshot['current'] {
  if (progress === undefined || progress.phase === 'published') return undefined
  const { round, phase, tasks, openedAt, deadline, extensions } = progress
  const selected = tasks.filter(({ state }) => state !== 'refused').map(({ clientId }) => clientId)
  return {
    round,
    state: phase,
    selected,
    received: deliveredTasks(progress).map(({ clientId }) => clientId),
    openedAt: new Date(openedAt).toISOString(),
    deadline: new Date(deadline).toISOString(),
    extensions,
  }
}
