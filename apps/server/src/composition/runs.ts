import type { EvaluatorFactory } from '../evaluation/index.ts'
import type { ModelRegistry } from '../models/index.ts'
import { type EpsilonBounds, epsilonBounds } from '../privacy/index.ts'
import type { Refactoriser } from '../refactorisation/index.ts'
import { createRuns, type Runs } from '../runs/index.ts'
import type { Presence } from '../sockets/index.ts'
import { RunViews } from '../views/index.ts'
import type { BaseServices } from './base-services.ts'
import type { Security } from './security.ts'
import type { Storage } from './storage.ts'

export interface RunsAndViews {
  readonly runs: Runs
  readonly views: RunViews
  readonly bounds: EpsilonBounds
}

/** What runs need beside the ground, the storage and the security of the coordinator. */
export interface Training {
  readonly models: ModelRegistry
  readonly evaluatorFor: EvaluatorFactory
  readonly refactoriser: Refactoriser
}

/** The runs, and what people see of them. */
export function composeRuns(
  { config, clock, log, metrics, events }: BaseServices,
  { store, blobs, others }: Storage,
  { tokens }: Security,
  presence: Presence,
  training: Training,
): RunsAndViews {
  const bounds = epsilonBounds()
  const runs = createRuns({
    ...training,
    store,
    blobs,
    gateway: presence.messenger,
    tokens,
    clock,
    log,
    metrics,
    bounds,
    events,
    gatherMs: config.gatherSeconds * 1000,
    keepStates: config.keepStates,
    ...(others && { ownership: others.cluster.ownership }),
  })
  return {
    runs,
    bounds,
    views: new RunViews({ store, bounds, isConnected: (id) => presence.messenger.isConnected(id), runs }),
  }
}
