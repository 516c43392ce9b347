import { createHash, timingSafeEqual } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'

/** Checks operator tokens in constant time. */
export interface OperatorGate {
  /** @throws FedsvdError TOKEN_INVALID */
  check(token: unknown): void
}

export function operatorGate(operatorToken: string): OperatorGate {
  const expected = digest(operatorToken)
  return {
    check(token) {
      if (typeof token === 'string' && timingSafeEqual(digest(token), expected)) return
      throw new FedsvdError('TOKEN_INVALID', {
        expected: 'the operator token of this coordinator',
        got: typeof token === 'string' ? 'another one' : 'none',
        remedy:
          'Send it as "Authorization: Bearer <token>"; it is in operator.token in the state folder of the coordinator.',
      })
    },
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
