import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import {
  enrolReplySchema,
  ledgerReplySchema,
  parseMessage,
  sessionSchema,
  uploadReplySchema,
} from '@fedsvd/core/protocol'
import { io } from 'socket.io-client'
import { sha256Hex } from '../ledger/index.ts'
import { answerWith, type ClientSocket, dropNonsense } from './answers.ts'
import { backOff, type Pause, pause as systemPause } from './back-off.ts'
import { Handshakes } from './handshakes.ts'
import { jsonBody, jsonRequest, requestUntilAnswered, verifiedBody } from './http.ts'
import { Latest } from './latest.ts'
import { certificateFault, fetchWith, type TlsTrust } from './tls.ts'
import type { Caller, CoordinatorLink, LinkHandlers, Transport } from './transport.ts'

const ANSWER_TIMEOUT_MS = 30_000
/** The last two: the coordinator that answers is not the one that drives the run, and that one is not there now. */
const PASSING: readonly string[] = [
  'RATE_LIMITED',
  'UNEXPECTED',
  'DATABASE_UNAVAILABLE',
  'STORAGE_UNAVAILABLE',
  'COORDINATOR_UNREACHABLE',
  'LEASE_LOST',
]
/** Refusals of a connection that no waiting changes. */
const FINAL_REFUSALS: readonly string[] = [
  'SIGNATURE_INVALID',
  'FORBIDDEN',
  'PROTOCOL_VERSION',
  'CERTIFICATE_INVALID',
  'CLIENT_CONNECTED',
  'LEDGER_MISMATCH',
]

/** Socket.IO for control and HTTP for tensors, as in the protocol reference. */
export function networkTransport(coordinator: string, trust: TlsTrust = {}, pause: Pause = systemPause): Transport {
  const send = fetchWith(trust)
  return {
    coordinator,
    enrol: (request, signal, onUnreachable) => {
      const read = async (response: Response) =>
        parseMessage(enrolReplySchema, await jsonBody(response), 'an enrolment')
      const url = new URL('/v1/enrol', coordinator)
      return requestUntilAnswered(
        { url, init: jsonRequest(request), read, send, pause, onUnanswered: onceOnly(onUnreachable) },
        signal,
      )
    },
    open: (caller, handlers) => openLink({ coordinator, trust, send, pause }, caller, handlers),
  }
}

/** Where the coordinator is, and how it is reached. */
interface Route {
  readonly coordinator: string
  readonly trust: TlsTrust
  readonly send: typeof fetch
  readonly pause: Pause
}

function openLink(route: Route, caller: Caller, handlers: LinkHandlers): CoordinatorLink {
  const { coordinator, send, pause } = route
  const closed = new AbortController()
  const online = new Latest<true>()
  const session = new Latest<string>()
  const socket = connect(route, caller, { handlers, online, session, closed: closed.signal })

  return {
    report: async (report, signal = closed.signal) => {
      const waits = backOff()
      for (;;) {
        await online.value(signal)
        const reply = await socket
          .timeout(ANSWER_TIMEOUT_MS)
          .emitWithAck('ledger-report', report)
          .catch(() => undefined)
        const answer = reply && parseMessage(ledgerReplySchema, reply, 'an answer to a ledger report')
        if (answer !== undefined && !isPassing(answer.error?.code)) return answer
        await pause(waits.next().value, signal)
      }
    },
    roundFailed: (message) => void socket.emit('round-failed', message),
    fetchState: async (sha256, bytes, signal) => {
      const url = new URL(`/v1/blobs/${sha256}`, coordinator)
      const read = (response: Response) => verifiedBody(response, { sha256, bytes, hash: sha256Hex })
      for (;;) {
        const token = await session.value(signal)
        try {
          return await requestUntilAnswered({ url, init: { headers: bearer(token) }, read, send, pause }, signal)
        } catch (error) {
          if (!isFedsvdError(error, 'TOKEN_INVALID')) throw error
          session.clear(token) // it ended with its connection; the next connection brings another
        }
      }
    },
    upload: ({ runId, round, uploadToken, frame }, signal) => {
      const url = new URL(`/v1/runs/${runId}/rounds/${round}/update`, coordinator)
      const headers = { ...bearer(uploadToken), 'content-type': 'application/octet-stream' }
      const read = async (response: Response) =>
        parseMessage(uploadReplySchema, await jsonBody(response), 'an answer to an upload')
      return requestUntilAnswered(
        { url, init: { method: 'PUT', headers, body: Buffer.from(frame) }, read, send, pause },
        signal,
      )
    },
    [Symbol.dispose]() {
      closed.abort(new Error('the client was stopped'))
      socket.disconnect()
    },
  }
}

interface Line {
  readonly handlers: LinkHandlers
  readonly online: Latest<true>
  readonly session: Latest<string>
  readonly closed: AbortSignal
}

/** A socket that comes back by itself, with a fresh proof of identity each time. */
function connect(
  { coordinator, trust, send, pause }: Route,
  caller: Caller,
  { handlers, online, session, closed }: Line,
): ClientSocket {
  const handshakes = new Handshakes(coordinator, caller, closed, send)
  const socket: ClientSocket = io(new URL('/client', coordinator).href, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...trust,
    auth: (use) => void handshakes.next().then(use),
  })
  let waits = backOff()
  let outage = false
  const comeBack = async (): Promise<void> => {
    await pause(waits.next().value, closed).catch(() => {})
    if (!closed.aborted) socket.connect()
  }
  socket.on('connect', () => {
    waits = backOff()
    outage = false
    online.set(true)
    handlers.onConnected()
  })
  socket.on('disconnect', (reason) => {
    online.clear()
    session.clear()
    handlers.onDisconnected(reason)
    void comeBack()
  })
  socket.on('connect_error', (error) => {
    const refusal = handshakes.refusal ?? refusalIn(error) ?? certificateFault(error)
    if (refusal !== undefined && FINAL_REFUSALS.includes(refusal.code)) {
      handlers.onRefused(refusal)
      return
    }
    if ((refusal === undefined || refusal.code === 'COORDINATOR_UNREACHABLE') && !outage) {
      outage = true
      handlers.onUnreachable(refusal)
    }
    void comeBack()
  })
  socket.on('session', (message) => {
    dropNonsense(handlers, () => session.set(parseMessage(sessionSchema, message, 'a session').sessionToken))
  })
  answerWith(socket, handlers)
  return socket
}

/** What a coordinator that did answer said; undefined when nobody answered. */
function refusalIn(error: Error & { data?: unknown }): FedsvdError | undefined {
  return error.data === undefined ? undefined : FedsvdError.fromJSON(error.data)
}

/** Answers after which the same report may be taken. */
function isPassing(code: string | undefined): boolean {
  return code !== undefined && PASSING.includes(code)
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}

function onceOnly(tell: (() => void) | undefined): () => void {
  let told = false
  return () => {
    if (!told) tell?.()
    told = true
  }
}
