import { z } from 'zod'
import { LIMITS, numberIn } from '../limits/index.ts'

const range = z.strictObject({
  name: z.string(),
  minimum: numberIn(LIMITS.measured),
  maximum: numberIn(LIMITS.measured),
  isWhole: z.boolean(),
})

/**
 * GET /v1/run-options: what a run request may name at this coordinator, built in or of an extension; the built-in ones
 * first.
 */
export const runOptionsSchema = z.strictObject({
  methods: z.array(z.string()),
  initialisers: z.array(z.string()),
  /** Those whose terms are numbers, each with its range; a request that is not made by a form can name others, too. */
  aggregationRules: z.array(z.strictObject({ name: z.string(), terms: z.array(range) })),
})
export type RunOptions = z.infer<typeof runOptionsSchema>
export type AggregationOption = RunOptions['aggregationRules'][number]
