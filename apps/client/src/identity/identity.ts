import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { sessionChallengeText } from '@fedsvd/core/protocol'
import { atFile } from '@fedsvd/engine/files'
import { z } from 'zod'
import { SITE_BUDGET, sha256Hex } from '../ledger/index.ts'
import { writeFileDurably } from '../platform/index.ts'
import { coordinatorKey } from '../transport/address.ts'

/** The key of this node at one coordinator. It is made once and never leaves the state folder. */
export interface Identity {
  /** Raw 32-byte Ed25519 public key, base64url. */
  readonly publicKey: string
  /** Signs a session challenge. @returns base64url */
  signChallenge(clientId: string, nonce: string): string
  /** Signs a text that begins with a domain of its own. @returns base64url */
  sign(text: string): string
}

/** In the state folder: the key of earlier releases, one for all coordinators. It goes on at those that know it. */
export const KEY_FILE = 'client-key.pem'

/** Whether this state folder has a key, of this release or an earlier one. */
export function hasKey(stateDir: string): boolean {
  return existsSync(stateDir) && readdirSync(stateDir).some((file) => /^client-key.*\.pem$/.test(file))
}

/**
 * Reads the key of this node at a coordinator, or makes one (mode 0600) where there is none.
 *
 * Each coordinator knows another key: one that hands on the challenge of another, to sign in there in this node's name,
 * gets an answer that is worth nothing there. A budget beside the site's own has keys of its own: a coordinator knows
 * one ledger of each identity.
 */
export function loadIdentity(stateDir: string, coordinator: string, budget = SITE_BUDGET): Identity {
  const path = keyPath(stateDir, coordinator, budget)
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileDurably(path, Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })))
  }
  const key = readKey(path)
  const signText = (text: string): string => sign(null, Buffer.from(text), key).toString('base64url')
  return {
    publicKey: publicKeyOf(key),
    signChallenge: (clientId, nonce) => signText(sessionChallengeText(clientId, nonce)),
    sign: signText,
  }
}

function keyPath(stateDir: string, coordinator: string, budget: string): string {
  const stem = budget === SITE_BUDGET ? 'client-key' : `client-key-${budget}`
  const shared = join(stateDir, `${stem}.pem`)
  if (existsSync(shared) && enrolmentWith(stateDir, coordinator, publicKeyOf(readKey(shared))) !== undefined)
    return shared
  return join(stateDir, `${stem}-${sha256Hex(coordinatorKey(coordinator)).slice(0, 16)}.pem`)
}

function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'jwk' }).x!
}

function readKey(path: string): KeyObject {
  try {
    const key = createPrivateKey(atFile(path, () => readFileSync(path)))
    if (key.asymmetricKeyType !== 'ed25519') throw new TypeError(`a key for ${key.asymmetricKeyType}`)
    return key
  } catch (cause) {
    if (systemFault(cause) !== undefined) throw cause
    throw new FedsvdError(
      'CONFIG_INVALID',
      {
        expected: `an Ed25519 key in ${path}`,
        got: cause instanceof Error ? cause.message : String(cause),
        remedy: 'Restore the file, or remove it and enrol again with a new token',
      },
      { cause },
    )
  }
}

/**
 * The identifier that a coordinator gave to this node; undefined before enrolment there. However its address is spelt,
 * and whichever spelling an earlier release remembered: of several, the newest counts.
 */
export function enrolledAs(stateDir: string, coordinator: string, budget?: string): string | undefined {
  return enrolmentWith(stateDir, coordinator, loadIdentity(stateDir, coordinator, budget).publicKey)
}

function enrolmentWith(stateDir: string, coordinator: string, publicKey: string): string | undefined {
  const wanted = coordinatorKey(coordinator)
  const folder = join(stateDir, ENROLMENTS)
  const canonical = join(folder, enrolmentFile(wanted, publicKey))
  if (existsSync(canonical)) return readEnrolment(canonical).clientId
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : []
  const found = files.flatMap((file) => {
    const path = join(folder, file)
    const { coordinator: spelling, clientId } = readEnrolment(path)
    const isOwn = file === enrolmentFile(spelling, publicKey) && keyOrNone(spelling) === wanted
    return isOwn ? [{ clientId, changedAt: statSync(path).mtimeMs }] : []
  })
  return found.sort((a, b) => b.changedAt - a.changedAt)[0]?.clientId
}

export function rememberEnrolment(stateDir: string, coordinator: string, clientId: string, budget?: string): void {
  const { publicKey } = loadIdentity(stateDir, coordinator, budget)
  const key = coordinatorKey(coordinator)
  writeFileDurably(
    join(stateDir, ENROLMENTS, enrolmentFile(key, publicKey)),
    Buffer.from(`${JSON.stringify({ coordinator: key, clientId })}\n`),
  )
}

const ENROLMENTS = 'enrolments'
const enrolmentSchema = z.strictObject({ coordinator: z.string(), clientId: z.uuid() })

/** One file per key and coordinator, so a new key has to enrol anew. */
function enrolmentFile(coordinator: string, publicKey: string): string {
  return `${sha256Hex(`${coordinator} ${publicKey}`).slice(0, 16)}.json`
}

function readEnrolment(path: string): z.infer<typeof enrolmentSchema> {
  try {
    return enrolmentSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof z.ZodError)) throw cause
    throw new FedsvdError(
      'CONFIG_INVALID',
      {
        expected: `the enrolment of this client in ${path}`,
        got: cause instanceof SyntaxError ? 'a file that is not JSON' : 'JSON with other fields',
        remedy: 'Restore the file, or remove it and start with a new token: the key makes it the same client again.',
      },
      { cause },
    )
  }
}

/** Undefined for what an earlier release took as an address and this one does not. */
function keyOrNone(coordinator: string): string | undefined {
  try {
    return coordinatorKey(coordinator)
  } catch {
    return undefined
  }
}
