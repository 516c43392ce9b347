import { z } from 'zod'
import type { CoordinatorState } from './coordinator-state.ts'
import { advertisementSchema, confirmationsSchema, placesSchema, revealSchema, sharesSchema } from './messages.ts'
import { refused } from './refusals.ts'
import type { SiteState } from './site-state.ts'
import { sumTermsSchema } from './terms.ts'
import { SITES } from './thresholds.ts'
import { bytesText } from './transcript.ts'

const key = bytesText(32)
const share = bytesText(33)
const place = z
  .number()
  .int()
  .min(0)
  .max(SITES.most - 1)
const many = <Item>(item: z.ZodType<Item>) => z.array(item).max(SITES.most)

const siteStateSchema: z.ZodType<SiteState> = z.strictObject({
  terms: sumTermsSchema,
  advertisement: advertisementSchema,
  secrets: z.strictObject({ maskPrivateKey: key, channelPrivateKey: key, seed: key }).optional(),
  dealt: z
    .strictObject({ advertisements: many(advertisementSchema), place, message: sharesSchema, ownSeedShare: share })
    .optional(),
  received: z
    .strictObject({
      sharers: placesSchema,
      partners: placesSchema,
      session: key,
      held: many(z.strictObject({ of: place, maskKeyShare: share, seedShare: share })),
    })
    .optional(),
  maskedSha256: key.optional(),
  survivors: placesSchema.optional(),
})

const coordinatorStateSchema: z.ZodType<CoordinatorState> = z.strictObject({
  terms: sumTermsSchema,
  advertisements: many(advertisementSchema),
  roster: key.optional(),
  shares: many(sharesSchema.extend({ by: place })),
  sharers: placesSchema.optional(),
  session: key.optional(),
  masked: placesSchema,
  survivors: placesSchema.optional(),
  confirmations: confirmationsSchema,
  reveals: many(z.strictObject({ by: place, shares: revealSchema.shape.shares, wrong: many(place) })),
})

/**
 * The state of a site as it was stored (JSON). An error says where it is damaged and never what is there, since it
 * holds private keys.
 *
 * @throws FedsvdError SUM_REFUSED for anything else
 */
export function storedSiteState(value: unknown): SiteState {
  return read(siteStateSchema, value, 'site')
}

/** The state of a coordinator as it was stored (JSON). @throws FedsvdError SUM_REFUSED for anything else */
export function storedCoordinatorState(value: unknown): CoordinatorState {
  return read(coordinatorStateSchema, value, 'coordinator')
}

function read<State>(schema: z.ZodType<State>, value: unknown, whose: string): State {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const where = result.error.issues[0]?.path.join('.') || 'its beginning'
  throw refused(`the stored state of a ${whose}`, `one that is damaged at ${where}`, 'Leave the attempt.')
}
