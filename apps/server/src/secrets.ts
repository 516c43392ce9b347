import { FedsvdError } from '@fedsvd/core/errors'

/** Fewer different characters than this do not come out of a random generator. */
const LEAST_DIFFERENT = 8
const PRINTABLE = /^[\x20-\x7e]+$/

/** How long a secret has to be, and may be. */
export interface SecretLength {
  readonly min: number
  readonly max: number
}

/** Of every secret that a coordinator uses, wherever it comes from: 20 random characters of base64url are 120 bits. */
export const SECRETS = {
  operatorToken: { min: 20, max: 200 },
  uploadSecret: { min: 32, max: 200 },
  statementKey: { min: 43, max: 43 },
  objectStoreIdentity: { min: 32, max: 200 },
} as const satisfies Record<string, SecretLength>

/** What is wrong with a secret, without showing any of it; undefined for a good one. */
export function secretFault(secret: string, { min, max }: SecretLength): string | undefined {
  if (secret.length < min || secret.length > max) return `${secret.length} characters`
  if (!PRINTABLE.test(secret)) return 'control characters or letters beyond ASCII in it'
  const different = new Set(secret).size
  return different < LEAST_DIFFERENT ? `${different} different characters` : undefined
}

/** "20 to 200 characters" */
export function lengthOf({ min, max }: SecretLength): string {
  return `${min === max ? min : `${min} to ${max}`} characters`
}

/** @throws FedsvdError CONFIG_INVALID */
export function checkSecret(secret: string, length: SecretLength, where: string): string {
  const fault = secretFault(secret, length)
  if (fault === undefined) return secret
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a random secret of ${lengthOf(length)} in ${where}`,
    got: fault,
    remedy:
      'Restore it from a backup; or remove the file to have a new secret made up, and hand that out where it is used.',
  })
}
