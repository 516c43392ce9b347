import {
  createSessions,
  OperatorSessions,
  type Sessions,
  type SignInLinks,
  sharedSessions,
  signInLinks,
  type UploadTokens,
  uploadTokens,
} from '../identity/index.ts'
import type { Presence } from '../sockets/index.ts'
import type { BaseServices } from './base-services.ts'
import type { Secrets } from './secrets.ts'
import type { Storage } from './storage.ts'

export interface Security {
  readonly sessions: Sessions
  readonly operatorSessions: OperatorSessions
  readonly links: SignInLinks
  readonly tokens: UploadTokens
}

/** Who clients and operators are, and what they may send. */
export function composeSecurity(
  { clock, events }: BaseServices,
  { store, others }: Storage,
  secrets: Secrets,
  presence: Presence,
): Security {
  const now = (): number => clock.now()
  const links = signInLinks(Buffer.from(secrets.upload), store.nonces, now)
  return {
    sessions:
      others === undefined
        ? createSessions(store.clients, now)
        : sharedSessions({
            clients: store.clients,
            nonces: store.nonces,
            connections: store.connections,
            isHere: (clientId, connectionId) => presence.local.isVouched(clientId, connectionId),
            secret: secrets.upload,
            now,
          }),
    operatorSessions: new OperatorSessions({
      store,
      operatorToken: secrets.operatorToken,
      links,
      now,
      onEnd: (ended) => events.emit('session.ended', ended),
    }),
    links,
    tokens: uploadTokens(Buffer.from(secrets.upload)),
  }
}
