import { z } from 'zod'
import { LIMITS, wholeIn } from '../limits/index.ts'
import { TASKS } from '../lora/index.ts'

/** A base model that a run can name: what comes with the coordinator, and the checkpoints in its model folder. */
export const modelViewSchema = z.strictObject({
  name: z.string(),
  /** As its config.json has it; absent for what is part of fedsvd. */
  modelType: z.string().optional(),
  /** The longest text that it reads. */
  maxTokens: wholeIn(LIMITS.count),
  /** What it can be trained for. */
  tasks: z.array(z.enum(TASKS)),
  /** False where config.json stands alone: a run request must then say what the checkpoint holds. */
  isComplete: z.boolean(),
})
export type ModelView = z.infer<typeof modelViewSchema>

/** GET /v1/models. */
export const modelListSchema = z.strictObject({
  models: z.array(modelViewSchema),
  /** Checkpoints that cannot be used, and why not. */
  unusable: z.array(z.strictObject({ name: z.string(), reason: z.string() })),
  /** True where other names are looked for on a hub. */
  hasHub: z.boolean(),
})
export type ModelList = z.infer<typeof modelListSchema>
