import { ERROR_CATALOGUE, FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { wireCode } from '../policy/index.ts'

/** What a file system says when it takes no more, or nothing at all. */
const STORAGE_FAULTS = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE']

/** Any failure as an error of the catalogue, for this site's own log. */
export function catalogued(error: unknown): FedsvdError {
  if (isFedsvdError(error)) return error
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException
  const isStorage = code !== undefined && STORAGE_FAULTS.includes(code)
  return new FedsvdError(
    isStorage ? 'STORAGE_UNAVAILABLE' : 'UNEXPECTED',
    {
      expected: isStorage ? 'a state folder that takes what is written' : 'no failure here',
      got: error instanceof Error ? message : String(error),
      remedy: isStorage ? 'Make room; the round goes on when it is invited again.' : 'Look at the log of this client.',
    },
    { cause: error },
  )
}

/**
 * What a refusal may say outside: its code, where no record decides whether it is sent, and the catalogue's own words. The
 * details (a row of the data, what other runs have spent, a path) stay in this site's log.
 */
export function forTheWire(refusal: FedsvdError): FedsvdError {
  const code = wireCode(refusal.code)
  return new FedsvdError(code, {
    expected: 'a request that this site can agree to',
    got: ERROR_CATALOGUE[code].title.toLowerCase(),
    remedy: 'The log of the site has the reason in full.',
  })
}
