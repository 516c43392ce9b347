import { createHash } from 'node:crypto'

/** The identifier of a simulated site: the same for the same seed, and in the order of the sites. */
export function identifierOf(seed: string, index: number): string {
  const hash = createHash('sha256')
    .update(JSON.stringify(['simulated site', seed]))
    .digest('hex')
  const number = index.toString(16).padStart(8, '0')
  // Version 8 of RFC 9562 is for identifiers of one's own making.
  return `${number}-${hash.slice(0, 4)}-8${hash.slice(4, 7)}-8${hash.slice(7, 10)}-${hash.slice(10, 22)}`
}
