import type { Advertisement, Certificate } from './messages.ts'
import type { Primitives, Signer } from './primitives.ts'
import { refused } from './refusals.ts'
import { bytesOf, textOf, transcript } from './transcript.ts'

/** Why the key of an advertisement is not that of a site that may be counted on; undefined where it is. */
export type KnownSites = (advertisement: Pick<Advertisement, 'site' | 'certificate'>) => string | undefined

/** The sites whose Ed25519 keys (base64url) somebody at this site has written down. */
export function pinnedSites(keys: Iterable<string>): KnownSites {
  const pinned = new Set(keys)
  return ({ site }) => (pinned.has(site) ? undefined : 'a key that is not pinned here')
}

/** A consortium that says for itself who belongs to it. */
export interface Consortium {
  /** What it calls itself; in what it signs, so that two consortia with one key do not vouch for each other's sites. */
  readonly name: string
  /** Its Ed25519 key, base64url. */
  readonly key: string
}

function certified({ name }: Pick<Consortium, 'name'>, site: string, lastDay: number): Uint8Array {
  if (!/^[\x20-\x7e]{1,100}$/.test(name)) {
    throw refused('a consortium with a name of 1 to 100 ASCII characters', name.slice(0, 100), 'Name it otherwise.')
  }
  return transcript('site of a consortium', name, site, lastDay)
}

/** A certificate, made where the consortium's private key is. @param lastDay days since 1970, UTC */
export function certifySite(
  consortium: Pick<Consortium, 'name'>,
  signer: Signer,
  { site, lastDay }: { readonly site: string; readonly lastDay: number },
): Certificate {
  return { lastDay, signature: textOf(signer.sign(certified(consortium, site, lastDay))) }
}

/** The sites that a consortium vouches for today. @param today days since 1970, UTC */
export function certifiedSites(
  consortium: Consortium,
  { primitives, today }: { readonly primitives: Pick<Primitives, 'verify'>; readonly today: number },
): KnownSites {
  return ({ site, certificate }) => {
    if (certificate === undefined) return `a key without a certificate of ${consortium.name}`
    if (certificate.lastDay < today) return 'a certificate that has run out'
    const message = certified(consortium, site, certificate.lastDay)
    const isGenuine = primitives.verify(consortium.key, message, bytesOf(certificate.signature))
    return isGenuine ? undefined : `a certificate that ${consortium.name} did not sign`
  }
}
