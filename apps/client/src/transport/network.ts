import { setTimeout as delay } from 'node:timers/promises'
import { FedsvdError } from '@fedsvd/core/errors'
import {
  type ClientHandshake,
  type ClientToServerEvents,
  challengeReplySchema,
  enrolReplySchema,
  invitationSchema,
  ledgerReplySchema,
  offerSchema,
  PROTOCOL_VERSION,
  parseMessage,
  roundClosedSchema,
  runEndedSchema,
  type ServerToClientEvents,
  sessionSchema,
  uploadReplySchema,
} from '@fedsvd/core/protocol'
import { io, type Socket } from 'socket.io-client'
import { sha256Hex } from '../ledger/index.ts'
import { backOff, jsonRequest, refusalOf, requestUntilAnswered } from './http.ts'
import { Latest } from './latest.ts'
import type { Caller, CoordinatorLink, LinkHandlers, Transport } from './transport.ts'

const ANSWER_TIMEOUT_MS = 30_000
/** Refusals of the handshake that no waiting changes. */
const FINAL_REFUSALS: readonly string[] = ['SIGNATURE_INVALID', 'FORBIDDEN', 'PROTOCOL_VERSION']

type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>

/** Socket.IO for control and HTTP for tensors, as in the protocol reference. */
export function networkTransport(coordinator: string): Transport {
  return {
    coordinator,
    enrol: async (request, signal) => {
      const reply = await requestUntilAnswered(new URL('/v1/enrol', coordinator), jsonRequest(request), signal)
      return parseMessage(enrolReplySchema, await reply.json(), 'an enrolment')
    },
    open: (caller, handlers) => openLink(coordinator, caller, handlers),
  }
}

function openLink(coordinator: string, caller: Caller, handlers: LinkHandlers): CoordinatorLink {
  const closed = new AbortController()
  const session = new Latest<string>()
  const socket: ClientSocket = io(new URL('/client', coordinator).href, {
    transports: ['websocket'],
    reconnectionDelay: 250,
    reconnectionDelayMax: 15_000,
    auth: (use) => {
      handshake(coordinator, caller, closed.signal).then(use, () => use({}))
    },
  })
  const retries = backOff()
  socket.on('connect', handlers.onConnected)
  socket.on('disconnect', (reason) => {
    session.clear()
    handlers.onDisconnected(reason)
    if (reason === 'io server disconnect') void reconnect(socket, retries.next().value, closed.signal)
  })
  socket.on('connect_error', (error) => {
    if (socket.active) return // nobody answered: socket.io tries again by itself
    const refusal = FedsvdError.fromJSON((error as Error & { data?: unknown }).data)
    if (FINAL_REFUSALS.includes(refusal.code)) handlers.onRefused(refusal)
    else void reconnect(socket, retries.next().value, closed.signal)
  })
  socket.on('session', (message) => session.set(parseMessage(sessionSchema, message, 'a session').sessionToken))
  listen(socket, handlers)

  return {
    report: async (report, signal = closed.signal) => {
      for (;;) {
        signal.throwIfAborted()
        await connected(socket, signal)
        const reply = await socket
          .timeout(ANSWER_TIMEOUT_MS)
          .emitWithAck('ledger-report', report)
          .catch(() => undefined)
        if (reply !== undefined) return parseMessage(ledgerReplySchema, reply, 'an answer to a ledger report')
      }
    },
    fetchState: async (sha256, bytes, signal) => {
      const url = new URL(`/v1/blobs/${sha256}`, coordinator)
      const token = await session.value(signal)
      const response = await requestUntilAnswered(url, { headers: { authorization: `Bearer ${token}` } }, signal)
      return verifiedBody(response, sha256, bytes)
    },
    upload: async ({ runId, round, uploadToken, frame }, signal) => {
      const url = new URL(`/v1/runs/${runId}/rounds/${round}/update`, coordinator)
      const headers = { authorization: `Bearer ${uploadToken}`, 'content-type': 'application/octet-stream' }
      const response = await requestUntilAnswered(url, { method: 'PUT', headers, body: frame }, signal)
      return parseMessage(uploadReplySchema, await response.json(), 'an answer to an upload')
    },
    [Symbol.dispose]() {
      closed.abort(new Error('the client was stopped'))
      socket.disconnect()
    },
  }
}

/** Proves at each connection anew that this node holds its key. */
async function handshake(
  coordinator: string,
  { clientId, signChallenge }: Caller,
  signal: AbortSignal,
): Promise<ClientHandshake> {
  const reply = await fetch(new URL('/v1/challenge', coordinator), { ...jsonRequest({ clientId }), signal })
  if (!reply.ok) throw await refusalOf(reply)
  const { nonce } = parseMessage(challengeReplySchema, await reply.json(), 'a challenge')
  return { protocolVersion: PROTOCOL_VERSION, clientId, nonce, signature: signChallenge(clientId, nonce) }
}

function listen(socket: ClientSocket, handlers: LinkHandlers): void {
  const refused = (error: unknown) => ({ accepted: false as const, error: catalogued(error).toJSON() })
  socket.on('offer', (message, reply) => {
    answer(async () => handlers.onOffer(parseMessage(offerSchema, message, 'an offer'))).then(reply, (error: unknown) =>
      reply(refused(error)),
    )
  })
  socket.on('invite', (message, reply) => {
    answer(async () => handlers.onInvitation(parseMessage(invitationSchema, message, 'an invitation'))).then(
      reply,
      (error: unknown) => reply(refused(error)),
    )
  })
  socket.on('round-closed', (message) =>
    handlers.onRoundClosed(parseMessage(roundClosedSchema, message, 'a closed round')),
  )
  socket.on('run-ended', (message) => handlers.onRunEnded(parseMessage(runEndedSchema, message, 'an ended run')))
}

const answer = <T>(work: () => Promise<T>): Promise<T> => work()

function catalogued(error: unknown): FedsvdError {
  if (error instanceof FedsvdError) return error
  return new FedsvdError(
    'UNEXPECTED',
    { expected: 'the client to answer', got: 'a fault at the client', remedy: 'Look at the log of the client' },
    { cause: error },
  )
}

async function reconnect(socket: ClientSocket, wait: number, signal: AbortSignal): Promise<void> {
  await delay(wait, undefined, { signal }).catch(() => {})
  if (!signal.aborted) socket.connect()
}

async function connected(socket: ClientSocket, signal: AbortSignal): Promise<void> {
  if (socket.connected) return
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

/** A body that must have this size and hash. @throws FedsvdError FRAME_TOO_LARGE, FRAME_CHECKSUM */
async function verifiedBody(response: Response, sha256: string, bytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let received = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    received += chunk.length
    if (received > bytes) {
      throw new FedsvdError('FRAME_TOO_LARGE', {
        expected: `${bytes} bytes of state ${sha256}`,
        got: 'more',
        remedy: 'Ask who runs the coordinator',
      })
    }
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (sha256Hex(body) === sha256) return body
  throw new FedsvdError('FRAME_CHECKSUM', {
    expected: `a state of hash ${sha256}`,
    got: 'other bytes',
    remedy: 'Ask who runs the coordinator',
  })
}
