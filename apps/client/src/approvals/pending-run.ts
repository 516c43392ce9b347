import { privacyTermsSchema, storedForm } from '@fedsvd/core/protocol'
import { z } from 'zod'

export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const figure = z.number().nonnegative()

/** A run that waits for a decision of this site, with what it would cost: all from the manifest and from the ledger. */
export const pendingRunSchema = z.strictObject({
  runId: z.uuid(),
  name: z.string(),
  coordinator: z.string(),
  manifestSha256: sha256Hex,
  /** Name of the budget that would pay. */
  budget: z.string(),
  offeredAt: z.iso.datetime(),
  model: z.string(),
  task: z.string(),
  method: z.string(),
  labels: z.array(z.string()),
  unit: z.string(),
  rounds: z.number().int(),
  /** Noised steps of the whole run, without spare ones for interruptions. */
  steps: z.number().int(),
  /** As they would be now; when the run is agreed to they are made anew, with no more epsilon. */
  terms: storedForm(privacyTermsSchema),
  cost: z.strictObject({
    /** The limit of the budget. */
    epsilon: figure,
    /** Epsilon that the rule of the ledger counts now, and with the whole run in it. */
    chargedBefore: figure,
    chargedAfter: figure,
    remainingAfter: figure,
  }),
})
export type PendingRun = z.infer<typeof pendingRunSchema>
