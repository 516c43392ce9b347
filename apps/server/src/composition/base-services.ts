import type { Logger } from 'pino'
import type { CoordinatorConfig } from '../config.ts'
import type { CoordinatorEvents } from '../events.ts'
import type { Clock } from '../platform/index.ts'
import type { Metrics, Tracer } from '../telemetry/index.ts'

/** What every part of a coordinator is composed with. */
export interface BaseServices {
  readonly config: CoordinatorConfig
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly events: CoordinatorEvents
}
