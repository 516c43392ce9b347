import { z } from 'zod'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { identifierSchema } from './identifier.ts'

const count = wholeIn(LIMITS.count)
const epsilon = numberIn(LIMITS.epsilonSpent)

/**
 * What a run that is not opened yet would cost one client, as far as the coordinator can tell: by what the client
 * declared last and has spent there. Sites choose their noise themselves and know what they spent elsewhere.
 */
export const sitePriceSchema = z.strictObject({
  clientId: identifierSchema,
  name: z.string(),
  /**
   * `ready`: it can take part now. `away`: when it connects. `undeclared`: it has taken part in no such run, so nothing
   * is known of its records. `out`: it cannot take part.
   */
  standing: z.enum(['ready', 'away', 'undeclared', 'out']),
  /** Why it is out, or what else to know. */
  reason: z.string().optional(),
  /** Records, or persons where these are the unit. */
  declaredRecords: wholeIn(LIMITS.declaredRecords).optional(),
  /** The least noise with which all rounds, and the spare steps for interruptions, stay within the target. */
  noiseMultiplier: numberIn(LIMITS.noiseMultiplier).optional(),
  /** What the run costs undisturbed, an upper bound at `delta` by PLD, as of a site's first run. */
  epsilonOfRun: epsilon.optional(),
  /** What all runs of this coordinator have cost it so far, at `delta`: an odometer. */
  epsilonSpent: epsilon,
  delta: numberIn(LIMITS.delta),
  /** Rounds of the run that it can pay with this noise; fewer than the run has where a cap or its own limit ends it. */
  roundsAffordable: count.optional(),
})
export type SitePrice = z.infer<typeof sitePriceSchema>

/** POST /v1/runs/price, for a run request: the request is checked as though it were opened, and nothing is stored. */
export const runPriceSchema = z.strictObject({
  rounds: count,
  quorum: count,
  /** Every client in good standing. */
  clients: z.array(sitePriceSchema),
})
export type RunPrice = z.infer<typeof runPriceSchema>
