import type { AdapterSchema, Task } from '@fedsvd/core/lora'
import type { ModelReference } from '../models/index.ts'

/** What a run says about its model. */
export interface ModelRequest {
  /** Absent: sequence classification. */
  readonly task?: Task | undefined
  readonly model: ModelReference & { readonly maxTokens: number; readonly featureScale?: number | undefined }
  readonly labels: readonly string[]
  readonly adapter: AdapterSchema
}
