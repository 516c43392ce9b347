import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import type { Logger } from 'pino'

/** Any error as one of the catalogue; what is not is logged in full and shown without its inside. */
export function toFedsvdError(error: unknown, log: Logger): FedsvdError {
  if (error instanceof FedsvdError) return error
  const fromParser = parserFault(error)
  if (fromParser !== undefined) return fromParser
  log.error({ err: error }, 'unexpected error')
  const ofSystem = systemFault(error)
  if (ofSystem?.code === 'STORAGE_UNAVAILABLE') {
    const [expected, remedy] = [
      'a disk that takes what is written',
      'Try again when who runs the coordinator has made room.',
    ]
    return new FedsvdError('STORAGE_UNAVAILABLE', { expected, got: ofSystem.detail.got, remedy }, { cause: error })
  }
  return new FedsvdError('UNEXPECTED', {
    expected: 'the request to be served',
    got: 'a fault inside the coordinator',
    remedy: 'Try again; the log of the coordinator has the details.',
  })
}

/** The body parser marks its errors with a client status and a type. */
function parserFault(error: unknown): FedsvdError | undefined {
  const { status, type } = (error ?? {}) as { status?: unknown; type?: unknown }
  if (typeof status !== 'number' || status < 400 || status > 499) return undefined
  if (type === 'entity.too.large') {
    const { limit, length } = error as { limit?: number; length?: number }
    return new FedsvdError('FRAME_TOO_LARGE', {
      expected: `a body of at most ${limit} bytes`,
      got: length === undefined ? `more than ${limit} bytes` : `${length} bytes`,
      remedy: 'Send less at a time.',
    })
  }
  return new FedsvdError('MESSAGE_INVALID', {
    expected: 'a well-formed request with a JSON body',
    got:
      type === 'entity.parse.failed'
        ? 'text that is no JSON'
        : typeof type === 'string'
          ? type
          : `a request that failed with status ${status}`,
    remedy: 'Check the message against the protocol reference.',
  })
}
