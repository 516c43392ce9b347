import type { Logger } from 'pino'
import type { Sessions, UploadTokens } from '../identity/index.ts'
import type { UpdateIntake } from '../runs/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Metrics, Tracer } from '../telemetry/index.ts'

/** What the routes of tensors stand on. */
export interface TensorRoutes {
  readonly blobs: BlobStore
  readonly sessions: Sessions
  /** True for a client that is connected here and certain to be in good standing. */
  readonly isHere: (clientId: string) => boolean
  readonly tokens: UploadTokens
  readonly intake: UpdateIntake
  readonly metrics: Metrics
  readonly log: Logger
  readonly tracer: Tracer
  readonly refusalsPerMinute: number
  readonly transfersPerMinute: number
}
