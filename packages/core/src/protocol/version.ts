import { FedsvdError } from '../errors.ts'

/**
 * The version of every message and frame. Messages have no field that a peer of their version does not know, so
 * whatever changes one of them changes this number.
 */
export const PROTOCOL_VERSION = 1

/**
 * The HTTP header in which each side names its version, so that the other one can say more than that it does not
 * understand.
 */
export const PROTOCOL_HEADER = 'fedsvd-protocol'

type Side = 'coordinator' | 'client'

/**
 * Looks at the version that a peer names before anything else that it says is understood. A peer that names none is
 * judged by its messages.
 *
 * @param theirs a number, or the text of the header
 * @throws FedsvdError PROTOCOL_VERSION naming the side that is to be upgraded
 */
export function requireProtocol(theirs: unknown, peer: Side): void {
  const version = typeof theirs === 'string' && /^\d{1,9}$/.test(theirs) ? Number(theirs) : theirs
  if (typeof version !== 'number' || version === PROTOCOL_VERSION) return
  const own: Side = peer === 'client' ? 'coordinator' : 'client'
  const older = version > PROTOCOL_VERSION ? own : peer
  throw new FedsvdError('PROTOCOL_VERSION', {
    expected: `protocol version ${PROTOCOL_VERSION}, which this ${own} speaks`,
    got: `version ${version} of the ${peer}`,
    remedy: `The ${older} is the older one: upgrade fedsvd ${older === 'client' ? 'at the site' : 'where the coordinator runs'}.`,
  })
}
