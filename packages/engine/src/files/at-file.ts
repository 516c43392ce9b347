import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'

/**
 * Does something with a file or a folder, whose path then stands in each fault of it, also where the system names none.
 */
export function atFile<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw naming(path, error)
  }
}

function naming(path: string, error: unknown): unknown {
  if (isFedsvdError(error)) {
    const { code, detail, cause } = error
    if (`${detail.expected} ${detail.got}`.includes(path)) return error
    return new FedsvdError(code, { ...detail, got: `${detail.got}, in ${path}` }, { cause })
  }
  const { code, path: known } = error as NodeJS.ErrnoException
  return typeof code === 'string' && known === undefined ? Object.assign(error as Error, { path }) : error
}
