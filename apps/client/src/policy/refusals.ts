import { ERROR_CATALOGUE, FedsvdError, isFedsvdError, systemFault } from '@fedsvd/core/errors'
import { wireCode } from './wire-codes.ts'

/** Any failure as an error of the catalogue, for this site's own log. */
export function catalogued(error: unknown): FedsvdError {
  if (isFedsvdError(error)) return error
  const ofSystem = systemFault(error)
  if (ofSystem !== undefined) return ofSystem
  return new FedsvdError(
    'UNEXPECTED',
    {
      expected: 'no failure here',
      got: error instanceof Error ? error.message : String(error),
      remedy: 'Look at the log of this client.',
    },
    { cause: error },
  )
}

/**
 * What a refusal may say outside: its code, where no record decides whether it is sent, and the catalogue's own words.
 * The details (a row of the data, what other runs have spent, a path) stay in this site's log.
 */
export function toWireError(refusal: FedsvdError): FedsvdError {
  const code = wireCode(refusal.code)
  return new FedsvdError(code, {
    expected: 'a request that this site can agree to',
    got: ERROR_CATALOGUE[code].title.toLowerCase(),
    remedy: 'The log of the site has the reason in full.',
  })
}
