import { z } from 'zod'
import { MOST_SHARES } from './degree.ts'
import { SITES } from './thresholds.ts'
import { bytesText } from './transcript.ts'

/*
 * Every message of the protocol, once; both sides parse what they receive with these schemas. Binary values are
 * base64url. Sites are named by their place in the roster, from 0 on.
 */

/** Nonce (12 bytes), two shares (33 each) and tag (16), as base64url. */
const BOX_BYTES = 12 + 2 * 33 + 16

const key = bytesText(32)
const signature = bytesText(64)
const share = bytesText(33)
const box = bytesText(BOX_BYTES)
const place = z
  .number()
  .int()
  .min(0)
  .max(SITES.most - 1)

/** A list in the ascending order of places, each once. */
function ascending<Item>(item: z.ZodType<Item>, placeOf: (item: Item) => number, most: number) {
  return z
    .array(item)
    .max(most)
    .refine((items) => items.every((next, i) => i === 0 || placeOf(items[i - 1]!) < placeOf(next)), {
      error: 'places that are not in ascending order',
    })
}

/** Places, each once. */
export const placesSchema = ascending(place, (at) => at, SITES.most)

/** A consortium's word that a site is one of its own, until the end of a day (UTC, days since 1970). */
export const certificateSchema = z.strictObject({ lastDay: z.number().int().min(0).max(1_000_000), signature })
export type Certificate = z.infer<typeof certificateSchema>

/** 1, site to coordinator, in the answer to the invitation. */
export const advertisementSchema = z.strictObject({
  /** The site's Ed25519 key, by which others know it. */
  site: key,
  /** X25519: pairs of sites derive their masks from it; it is shared out, and given back if the site is lost. */
  maskKey: key,
  /** X25519: shares are sealed with it; nobody ever gets it. */
  channelKey: key,
  /** Of the seed of the site's own mask, so that a wrong share of it is found out. */
  seedDigest: key,
  certificate: certificateSchema.optional(),
  signature,
})
export type Advertisement = z.infer<typeof advertisementSchema>

/** 2, coordinator to sites. */
export const rosterSchema = z.strictObject({
  advertisements: z.array(advertisementSchema).min(SITES.least).max(SITES.most),
})
export type RosterMessage = z.infer<typeof rosterSchema>

const sealedSharesSchema = z.strictObject({ to: place, box, maskKeyDigest: key, seedDigest: key })

/** 3, site to coordinator: shares of its two secrets, sealed for each neighbour, and their digests. */
export const sharesSchema = z.strictObject({
  roster: key,
  boxes: ascending(sealedSharesSchema, ({ to }) => to, MOST_SHARES - 1),
  /** Of the share of its own seed that a site keeps. */
  ownDigest: key,
})
export type SharesMessage = z.infer<typeof sharesSchema>

/** 4, coordinator to each site: who has sent shares, and those that are for it. */
export const deliverySchema = z.strictObject({
  roster: key,
  sharers: placesSchema,
  boxes: ascending(z.strictObject({ from: place, box }), ({ from }) => from, SITES.most),
})
export type Delivery = z.infer<typeof deliverySchema>

/** Signatures of one list of survivors. */
export const confirmationsSchema = ascending(z.strictObject({ by: place, signature }), ({ by }) => by, SITES.most)

/** 6, coordinator to sites, when uploads are closed. On a drawn graph first without, then with the confirmations. */
export const openingSchema = z.strictObject({
  roster: key,
  survivors: placesSchema,
  confirmations: confirmationsSchema.optional(),
})
export type Opening = z.infer<typeof openingSchema>

/** 6a, site to coordinator, on a drawn graph only: this list of survivors and no other. */
export const confirmationSchema = z.strictObject({ kind: z.literal('confirmation'), roster: key, signature })
export type Confirmation = z.infer<typeof confirmationSchema>

/** 7, site to coordinator: of each neighbour one share, of its seed if it survived and of its mask key if not. */
export const revealSchema = z.strictObject({
  kind: z.literal('reveal'),
  roster: key,
  shares: ascending(z.strictObject({ of: place, share }), ({ of }) => of, SITES.most),
})
export type Reveal = z.infer<typeof revealSchema>
