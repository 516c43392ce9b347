import { FedsvdError } from '@fedsvd/core/errors'
import { parseMessage } from '@fedsvd/core/protocol'
import type { z } from 'zod'

/** The parameters of an address. @throws FedsvdError MESSAGE_INVALID */
export function parseAddress<T>(schema: z.ZodType<T>, params: unknown): T {
  return parseMessage(schema, params, 'an address')
}

export function runNotFound(runId: string): FedsvdError {
  return new FedsvdError('RUN_NOT_FOUND', {
    expected: 'the identifier of a run of this coordinator',
    got: runId,
    remedy: 'GET /v1/runs lists them.',
  })
}
