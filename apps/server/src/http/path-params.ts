import { FedsvdError } from '@fedsvd/core/errors'
import { identifierSchema, parseMessage } from '@fedsvd/core/protocol'
import { z } from 'zod'

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in lower-case hex')

export const roundParams = z.strictObject({
  runId: identifierSchema,
  round: z.coerce.number().int().min(0).max(1_000_000),
})

/** The parameters of an address, of its path or of its query. @throws FedsvdError MESSAGE_INVALID */
export function parseParams<T>(schema: z.ZodType<T>, params: unknown): T {
  return parseMessage(schema, params, 'an address')
}

export function runNotFound(runId: string): FedsvdError {
  return new FedsvdError('RUN_NOT_FOUND', {
    expected: 'the identifier of a run of this coordinator',
    got: runId,
    remedy: 'GET /v1/runs lists them.',
  })
}
