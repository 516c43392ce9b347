import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { parseMessage } from '@fedsvd/core/protocol'
import type { z } from 'zod'

/**
 * As `parseMessage`, for what a person wrote or saved.
 *
 * @param remedy what that person can do
 * @throws FedsvdError MESSAGE_INVALID
 */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown, what: string, remedy: string): T {
  try {
    return parseMessage(schema, value, what)
  } catch (error) {
    if (!isFedsvdError(error, 'MESSAGE_INVALID')) throw error
    throw new FedsvdError('MESSAGE_INVALID', { ...error.detail, remedy }, { cause: error })
  }
}
