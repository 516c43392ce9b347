import type { RandomSource } from '@fedsvd/core/random'
import type { Logger } from 'pino'
import type { EvaluatorFactory } from '../evaluation/index.ts'
import type { CoordinatorEvents } from '../events.ts'
import type { UploadTokens } from '../identity/index.ts'
import type { Clock } from '../platform/index.ts'
import type { CentralLedger, ClientCaps, EpsilonBounds } from '../privacy/index.ts'
import type { Refactoriser } from '../refactorisation/index.ts'
import type { ClientGateway } from '../rounds/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Store } from '../storage/records/index.ts'
import type { Metrics } from '../telemetry/index.ts'
import type { AlertDesk } from './run-alerts.ts'

/** What every active run is made with. */
export interface RunParts {
  readonly store: Store
  readonly blobs: BlobStore
  readonly gateway: ClientGateway
  readonly tokens: UploadTokens
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly bounds: EpsilonBounds
  readonly central: CentralLedger
  readonly caps: ClientCaps
  readonly alerts: AlertDesk
  readonly refactoriser: Refactoriser
  readonly noiseSource: () => RandomSource
  readonly evaluatorFor: EvaluatorFactory
  readonly gatherMs: number
  readonly events: Pick<CoordinatorEvents, 'emit'>
}
