import type { KnownSites } from './known-sites.ts'
import type { Advertisement, Certificate, RosterMessage } from './messages.ts'
import { KEY_BYTES, type Primitives, randomBytes, type Signer } from './primitives.ts'
import { refused } from './refusals.ts'
import { attemptIdOf, type SumTerms } from './terms.ts'
import { sumThresholds, type Thresholds } from './thresholds.ts'
import { bytesOf, textOf, transcript } from './transcript.ts'

/** What a site keeps to itself of an attempt; base64url, 32 bytes each. */
export interface SiteSecrets {
  readonly maskPrivateKey: string
  readonly channelPrivateKey: string
  /** Of the mask that hides the update until the coordinator is told that the site survived. */
  readonly seed: string
}

/** A roster that was checked: everybody in it, in the order of their keys. */
export interface Roster {
  readonly advertisements: readonly Advertisement[]
  /** Stands for the attempt and everything in the roster, base64url. */
  readonly id: string
  readonly thresholds: Thresholds
}

/** New keys for one attempt, and their advertisement. */
export function newAdvertisement(
  terms: SumTerms,
  {
    signer,
    primitives,
    certificate,
  }: { signer: Signer; primitives: Primitives; certificate?: Certificate | undefined },
): { readonly secrets: SiteSecrets; readonly advertisement: Advertisement } {
  const [maskPrivateKey, channelPrivateKey, seed] = [0, 1, 2].map(() => randomBytes(primitives, KEY_BYTES))
  const attempt = attemptIdOf(terms, primitives)
  const unsigned = {
    site: signer.publicKey,
    maskKey: textOf(primitives.x25519PublicKey(maskPrivateKey!)),
    channelKey: textOf(primitives.x25519PublicKey(channelPrivateKey!)),
    seedDigest: seedDigestOf(attempt, seed!, primitives),
    ...(certificate && { certificate }),
  }
  return {
    secrets: {
      maskPrivateKey: textOf(maskPrivateKey!),
      channelPrivateKey: textOf(channelPrivateKey!),
      seed: textOf(seed!),
    },
    advertisement: { ...unsigned, signature: textOf(signer.sign(signedPart(attempt, unsigned))) },
  }
}

/** The digest of a site's seed. It hides the seed, which is 256 random bits. */
export function seedDigestOf(attempt: string, seed: Uint8Array, { sha256 }: Pick<Primitives, 'sha256'>): string {
  return textOf(sha256(transcript('seed', attempt, seed)))
}

function signedPart(attempt: string, advertisement: Omit<Advertisement, 'signature'>): Uint8Array {
  const { site, maskKey, channelKey, seedDigest } = advertisement
  return transcript('advertisement', attempt, site, maskKey, channelKey, seedDigest)
}

/** What is wrong with an advertisement; undefined where a known site made it for this attempt. */
export function advertisementFault(
  advertisement: Advertisement,
  { attempt, knownSites, primitives }: { attempt: string; knownSites: KnownSites; primitives: Primitives },
): string | undefined {
  const unknown = knownSites(advertisement)
  if (unknown !== undefined) return unknown
  const signature = bytesOf(advertisement.signature)
  const isGenuine = primitives.verify(advertisement.site, signedPart(attempt, advertisement), signature)
  return isGenuine ? undefined : 'a signature that is not of its key for this attempt'
}

/** The roster of an attempt, by its parts: in the order of the sites' keys. */
export function rosterOf(
  terms: SumTerms,
  advertisements: readonly Advertisement[],
  primitives: Pick<Primitives, 'sha256'>,
): Roster {
  const entries = advertisements.flatMap(({ site, maskKey, channelKey, seedDigest }) => [
    site,
    maskKey,
    channelKey,
    seedDigest,
  ])
  const id = primitives.sha256(transcript('roster', attemptIdOf(terms, primitives), ...entries))
  return { advertisements, id: textOf(id), thresholds: sumThresholds({ sites: advertisements.length, ...terms }) }
}

/**
 * The roster that a coordinator sent, checked as by a site that trusts it in nothing: every entry is signed, for this
 * attempt, by a site that is known here, each site and each key is there once, and what the roster promises is not less
 * than was agreed and than this site asks for.
 *
 * @throws FedsvdError SUM_REFUSED
 */
export function checkedRoster(
  terms: SumTerms,
  { advertisements }: RosterMessage,
  { knownSites, leastHonest, primitives }: { knownSites: KnownSites; leastHonest: number; primitives: Primitives },
): Roster {
  const isAscending = advertisements.every(({ site }, i) => i === 0 || advertisements[i - 1]!.site < site)
  const keys = advertisements.flatMap(({ maskKey, channelKey }) => [maskKey, channelKey])
  if (!isAscending || new Set(keys).size < keys.length) {
    const got = `${advertisements.length} sites${isAscending ? '' : ' in another order'} with ${new Set(keys).size} keys`
    throw rosterFault('each site once, in the order of keys, and no X25519 key twice', got)
  }
  const attempt = attemptIdOf(terms, primitives)
  for (const advertisement of advertisements) {
    const fault = advertisementFault(advertisement, { attempt, knownSites, primitives })
    if (fault !== undefined) throw rosterFault('sites that are known here, each by its signature', fault)
  }
  const roster = rosterOf(terms, advertisements, primitives)
  const asked = Math.max(leastHonest, terms.leastHonest)
  if (roster.thresholds.honestInTheSum < asked) {
    throw rosterFault(
      `at least ${asked} honest sites in any sum that can be opened`,
      `${roster.thresholds.honestInTheSum} of ${advertisements.length}`,
    )
  }
  return roster
}

function rosterFault(expected: string, got: string): Error {
  return refused(`a roster with ${expected}`, got, 'Nothing was shared; look at who takes part in the run.')
}
