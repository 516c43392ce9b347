import { FedsvdError } from '@fedsvd/core/errors'

const CODES = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']
const NAME = /^Cannot find (?:package|module) '((?:@[\w-][\w.-]*\/)?[\w-][\w.-]*)/

/**
 * What to tell where Node does not find a package, as a site's image has no `@fedsvd/server`; undefined for any other
 * error, a file that is not there included.
 */
export function missingPackage(error: unknown): FedsvdError | undefined {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  if (!CODES.includes(String(code))) return undefined
  const name = NAME.exec(String(message))?.[1]
  if (name === undefined) return undefined
  const detail = {
    expected: `the package ${name}, which this needs`,
    got: 'none in this installation',
    remedy: 'Install it; of the images, the one for coordinators has all packages of fedsvd.',
  }
  return new FedsvdError('PACKAGE_MISSING', detail, { cause: error })
}
