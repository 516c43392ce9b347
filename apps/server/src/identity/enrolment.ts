import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import {
  type EnrolmentTokenRequest,
  type EnrolmentTokenView,
  type EnrolRequest,
  requireProtocol,
} from '@fedsvd/core/protocol'
import { publicKeyFrom } from '@fedsvd/engine/crypto'
import type { ClientRecord, ClientStore } from '../storage/records/index.ts'
import { actorOf, type Caller } from './caller.ts'

/** Makes single-use enrolment tokens. Only their hashes are stored: a reader of the database cannot enrol. */
export async function createEnrolmentTokens(
  clients: ClientStore,
  { count, expiresInSeconds, name }: EnrolmentTokenRequest,
  { by, now }: { readonly by: Caller; readonly now: number },
): Promise<readonly string[]> {
  const tokens = Array.from({ length: count }, () => randomBytes(32).toString('base64url'))
  const expiresAt = now + expiresInSeconds * 1000
  const hashes = tokens.map(hashOf)
  const audit = {
    at: now,
    actor: actorOf(by),
    action: 'enrolment-token.create',
    object: 'enrolment-tokens',
    detail: { count, expiresInSeconds, ...(name !== undefined && { name }), tokens: hashes.map(nameOf) },
  }
  await clients.addTokens(
    hashes.map((hash) => ({ hash, name, createdAt: now, expiresAt })),
    audit,
  )
  return tokens
}

/** As many are listed. */
const MOST_LISTED = 1000

/** The newest enrolment tokens, without being worth anything. */
export async function listEnrolmentTokens(clients: ClientStore, now: number): Promise<EnrolmentTokenView[]> {
  const stored = await clients.tokens(MOST_LISTED)
  return stored.map(({ hash, name, createdAt, expiresAt, clientId }) => ({
    tokenId: nameOf(hash),
    ...(name !== undefined && { name }),
    state: clientId !== undefined ? 'used' : expiresAt > now ? 'open' : 'ended',
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    ...(clientId !== undefined && { clientId }),
  }))
}

/** Ends a token that has not been used. @throws FedsvdError TOKEN_NOT_FOUND where there is none that is open */
export async function withdrawEnrolmentToken(
  clients: ClientStore,
  tokenId: string,
  { by, now }: { readonly by: Caller; readonly now: number },
): Promise<void> {
  const actor = actorOf(by)
  const audit = {
    at: now,
    actor,
    action: 'enrolment-token.withdraw',
    object: 'enrolment-tokens',
    detail: { token: tokenId },
  }
  if (await clients.withdrawToken(tokenId, now, audit)) return
  throw new FedsvdError('TOKEN_NOT_FOUND', {
    expected: 'the identifier of an enrolment token that is open',
    got: tokenId,
    remedy: 'GET /v1/enrolment-tokens lists them.',
  })
}

/**
 * Binds a new identity to a public key; the same request again is answered alike.
 *
 * @param onNamesake told of the client in good standing that has the name already
 * @param id of the new identity; random unless a simulation is to be the same each time
 * @throws FedsvdError TOKEN_INVALID, PROTOCOL_VERSION, SIGNATURE_INVALID, NAME_TAKEN
 */
export async function enrol(
  clients: ClientStore,
  request: EnrolRequest,
  {
    now,
    onNamesake,
    id = randomUUID(),
  }: {
    readonly now: number
    onNamesake(clientId: string, refusal: FedsvdError): Promise<void>
    readonly id?: string | undefined
  },
): Promise<string> {
  requireProtocol(request.protocolVersion, 'client')
  publicKeyFrom(request.publicKey)
  const { name, publicKey } = request
  const hash = hashOf(request.token)
  const actor = `client:${id}`
  const audit = { at: now, actor, action: 'client.enrol', object: actor, detail: { name, token: nameOf(hash) } }
  const enrolled = await clients.enrol(hash, { id, name, publicKey, enrolledAt: now }, audit)
  if ('clientId' in enrolled) return enrolled.clientId
  const { id: namesake, name: taken, enrolledAt } = enrolled.namesake
  const since = new Date(enrolledAt).toISOString().slice(0, 10)
  await onNamesake(
    namesake,
    nameTaken(`${name}${name === taken ? '' : `, which is read as "${taken}"`}, enrolled on ${since}`),
  )
  // The holder of an unused token must not learn from the answer which sites take part.
  throw nameTaken(`${name}, which is the name of another client or read as one`)
}

function nameTaken(got: string): FedsvdError {
  return new FedsvdError('NAME_TAKEN', {
    expected: 'a name that no client in good standing has',
    got,
    remedy:
      'Give a second site another name: the token is still good. Where it is the same site and its state folder is lost, ' +
      'find the folder; else what it spent stays spent, and an admin has to revoke the earlier client first.',
  })
}

/** Turns a client away for good; doing it again changes nothing. @throws FedsvdError CLIENT_NOT_FOUND */
export async function revokeClient(
  clients: ClientStore,
  clientId: string,
  { by, now }: { readonly by: Caller; readonly now: number },
): Promise<ClientRecord> {
  const object = `client:${clientId}`
  await clients.revoke(clientId, now, { at: now, actor: actorOf(by), action: 'client.revoke', object, detail: {} })
  const client = await clients.find(clientId)
  if (client !== undefined) return client
  throw new FedsvdError('CLIENT_NOT_FOUND', {
    expected: 'the identifier of a client of this coordinator',
    got: clientId,
    remedy: 'GET /v1/clients lists them.',
  })
}

/** Names a token in the audit log, without being worth anything. */
function nameOf(hash: string): string {
  return hash.slice(0, 12)
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
