import {
  type ClientHandshake,
  type EnrolReply,
  type EnrolRequest,
  enrolRequestSchema,
  parseMessage,
  type UploadReply,
} from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import { enrol, type Sessions, type UploadTokens } from '../identity/index.ts'
import type { Runs } from '../runs/index.ts'
import type { Presence } from '../sockets/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { Store } from '../storage/records/index.ts'
import { loopbackClients } from './loopback-clients.ts'
import type { LoopbackListener } from './loopback-socket.ts'

/** The client's end of a connection. */
export interface LoopbackConnection {
  send(event: string, message: unknown): void
  ask(event: string, message: unknown): Promise<unknown>
  close(): void
}

/** All that a client can ask of the coordinator in its own process, under the rules that hold over the network. */
export interface LoopbackPort {
  enrol(request: EnrolRequest): Promise<EnrolReply>
  challenge(clientId: string): Promise<{ readonly nonce: string; readonly ledgerLength?: number }>
  /** @throws FedsvdError as the handshake over a network does */
  connect(handshake: ClientHandshake, listener: LoopbackListener): Promise<LoopbackConnection>
  /** @throws FedsvdError TOKEN_INVALID, BLOB_NOT_FOUND */
  state(sha256: string, sessionToken: string): Promise<Uint8Array>
  /** @throws FedsvdError TOKEN_INVALID, or as `receiveUpdate` does */
  upload(place: { runId: string; round: number }, uploadToken: string, frame: Uint8Array): Promise<UploadReply>
}

export interface LoopbackPortParts {
  readonly store: Store
  readonly blobs: BlobStore
  readonly sessions: Sessions
  readonly tokens: UploadTokens
  readonly presence: Presence
  readonly runs: Runs
  readonly log: Logger
  readonly now: () => number
  /** The identifier of the next client that enrols; random where it is absent. */
  readonly nextId?: (() => string) | undefined
}

export function loopbackPort(parts: LoopbackPortParts): LoopbackPort {
  const { store, blobs, sessions, tokens, presence, runs, log, now, nextId } = parts
  const clients = loopbackClients({
    sessions,
    clients: store.clients,
    presence,
    runs,
    log,
    limitReports: async () => {},
    onCount: () => {},
    onSeen: () => {},
  })
  return {
    async enrol(request) {
      const onNamesake = async (): Promise<void> => {}
      const message = parseMessage(enrolRequestSchema, request, 'an enrolment')
      return { clientId: await enrol(store.clients, message, { now: now(), onNamesake, id: nextId?.() }) }
    },
    async challenge(clientId) {
      const ledgerLength = (await store.clients.find(clientId))?.ledger?.length
      return { nonce: sessions.challenge(clientId), ...(ledgerLength !== undefined && { ledgerLength }) }
    },
    async connect(handshake, listener) {
      const socket = await clients.connect(handshake, listener)
      return {
        send: (event, message) => socket.heard(event, message),
        ask: (event, message) => new Promise((resolve) => socket.heard(event, message, resolve)),
        close: () => socket.end('client namespace disconnect'),
      }
    },
    async state(sha256, sessionToken) {
      const clientId = await sessions.clientOf(sessionToken)
      await runs.intake.requireReadable(clientId, sha256)
      return await blobs.read(sha256)
    },
    async upload(place, uploadToken, frame) {
      const { runId, round, clientId } = { ...place, clientId: tokens.verify(uploadToken, place) }
      return await runs.intake.receive(runId, { round, clientId }, once(frame))
    },
  }
}

async function* once(frame: Uint8Array): AsyncIterable<Uint8Array> {
  yield frame
}
