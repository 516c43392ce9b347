import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { type PrivacyStatement, type SignedStatement, statementText } from '@fedsvd/core/protocol'

/** Signs what the coordinator states about privacy. */
export interface StatementKey {
  /** Raw 32 bytes, base64url. */
  readonly publicKey: string
  sign(statement: PrivacyStatement): SignedStatement
}

/** What stands before the 32 bytes of a private Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The Ed25519 key whose 32 secret bytes are given as base64url. @throws FedsvdError CONFIG_INVALID */
export function statementKey(secret: string): StatementKey {
  const seed = Buffer.from(secret, 'base64url')
  if (seed.length !== 32) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'the secret bytes of the key for privacy statements: 32 of them, base64url',
      got: `${seed.length} bytes`,
      remedy: 'Restore statement.key in the state folder, or remove it to have a new key made up.',
    })
  }
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey).export({ format: 'jwk' }).x!
  return {
    publicKey,
    sign: (statement) => ({
      statement,
      publicKey,
      signature: sign(null, Buffer.from(statementText(statement)), privateKey).toString('base64url'),
    }),
  }
}
