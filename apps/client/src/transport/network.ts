import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { enrolReplySchema, parseMessage, sessionSchema } from '@fedsvd/core/protocol'
import type { ProxyEnvironment, TlsTrust } from '@fedsvd/engine/network'
import { sha256Hex } from '../ledger/index.ts'
import { AwaitableValue } from '../platform/index.ts'
import { endpoint } from './address.ts'
import { answerWith, type ClientSocket, dropNonsense } from './answers.ts'
import { backOff, type Pause, pause as systemPause } from './back-off.ts'
import { noAnswer } from './foreign-answer.ts'
import { Handshakes } from './handshakes.ts'
import { bearer, jsonBody, jsonRequest, type Patience, requestUntilAnswered, verifiedBody } from './http.ts'
import { ReportSender } from './report.ts'
import { type Route, routeTo } from './route.ts'
import { catalogueErrorIn, openSocket } from './socket.ts'
import { certificateFault } from './tls.ts'
import type { Caller, CoordinatorLink, LinkHandlers, Transport } from './transport.ts'
import { uploadFrame } from './upload.ts'

/**
 * Answers after which the same report may be taken later. COORDINATOR_UNREACHABLE and LEASE_LOST come from a
 * coordinator that does not drive the run, while the one that does is not there.
 */
const RETRYABLE_CODES: readonly string[] = [
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

/** What a transport stands on, besides the address and whom it trusts. */
export interface NetworkParts {
  /** How to wait between two tries; the time of the system where it is absent. */
  readonly pause?: Pause
  /** Names forward proxies; that of the process where it is absent. */
  readonly env?: ProxyEnvironment
  /** How long the answer to the next heartbeat or probe is kept back, in milliseconds; absent: not at all. */
  readonly jitterMs?: () => number
}

/** How a coordinator is reached. */
interface Way extends Required<Pick<NetworkParts, 'pause' | 'jitterMs'>> {
  readonly route: Route
}

/** Socket.IO for control and HTTP for tensors, as in the protocol reference. */
export function networkTransport(
  address: string,
  trust: TlsTrust = {},
  { pause = systemPause, env = process.env, jitterMs = () => 0 }: NetworkParts = {},
): Transport {
  const route = routeTo(address, trust, env)
  return {
    coordinator: route.coordinator,
    enrol: (request, signal, onUnreachable) => {
      const url = endpoint(route.coordinator, '/v1/enrol')
      const read = async (response: Response) =>
        parseMessage(enrolReplySchema, await jsonBody(response), 'an enrolment')
      const patience = { pause, onUnanswered: onceForEach((other) => onUnreachable?.(other ?? noAnswer(route))) }
      return requestUntilAnswered(route, { url, init: jsonRequest(request), read }, signal, patience)
    },
    open: (caller, handlers) => openLink({ route, pause, jitterMs }, caller, handlers),
  }
}

function openLink(way: Way, caller: Caller, handlers: LinkHandlers): CoordinatorLink {
  const { route, pause } = way
  const { coordinator } = route
  /** That nobody answers is told of the connection; what answers in the coordinator's place is told of each request. */
  const patience = (): Patience => {
    const tell = onceForEach((other) => other && handlers.onUnreachable(other))
    return { pause, outlastsOthers: true, onUnanswered: tell }
  }
  const closed = new AbortController()
  const online = new AwaitableValue<true>()
  const session = new AwaitableValue<string>()
  const socket = connect(way, caller, { handlers, online, session, closed: closed.signal })

  const reports = new ReportSender(socket)
  return {
    report: async (report, signal = closed.signal) => {
      const waits = backOff()
      for (;;) {
        await online.value(signal)
        const answer = await reports.send(report)
        if (answer !== undefined && !isRetryable(answer.error?.code)) return answer
        await pause(waits.next().value, signal)
      }
    },
    roundFailed: async (message) => {
      socket.emit('round-failed', message)
    },
    fetchState: async (sha256, bytes, signal) => {
      const url = endpoint(coordinator, `/v1/blobs/${sha256}`)
      const read = (response: Response) => verifiedBody(response, { sha256, bytes, hash: sha256Hex })
      for (;;) {
        const token = await session.value(signal)
        try {
          return await requestUntilAnswered(route, { url, init: { headers: bearer(token) }, read }, signal, patience())
        } catch (error) {
          if (!isFedsvdError(error, 'TOKEN_INVALID')) throw error
          session.clear(token) // it ended with its connection; the next connection brings another
        }
      }
    },
    upload: (update, signal) => uploadFrame(route, update, signal, patience()),
    async [Symbol.asyncDispose]() {
      closed.abort(new Error('the client was stopped'))
      socket.disconnect()
    },
  }
}

interface Line {
  readonly handlers: LinkHandlers
  readonly online: AwaitableValue<true>
  readonly session: AwaitableValue<string>
  readonly closed: AbortSignal
}

/** A socket that comes back by itself, with a fresh proof of identity each time. */
function connect(
  { route, pause, jitterMs }: Way,
  caller: Caller,
  { handlers, online, session, closed }: Line,
): ClientSocket {
  const handshakes = new Handshakes(route, caller, closed)
  const { socket, transport, isPollingNext } = openSocket<ClientSocket>(
    route,
    '/client',
    { reconnection: false, auth: (use) => void handshakes.next().then(use) },
    { heartbeatMs: jitterMs },
  )
  let waits = backOff()
  let told: string | undefined
  /** Once per outage, and again when something else is in the way. */
  const tell = (other: FedsvdError | undefined): void => {
    const message = other?.message ?? ''
    if (told !== message) handlers.onUnreachable(other)
    told = message
  }
  const comeBack = async (): Promise<void> => {
    await pause(waits.next().value, closed).catch(() => {})
    if (!closed.aborted) socket.connect()
  }
  let isCutByOther = false
  socket.on('connect', () => {
    if (!isCutByOther) waits = backOff()
    if (!isCutByOther) told = undefined
    online.set(true)
    handlers.onConnected(transport())
  })
  socket.on('disconnect', (reason, details) => {
    online.clear()
    session.clear()
    handlers.onDisconnected(reason)
    const other = catalogueErrorIn(details)
    isCutByOther = other !== undefined
    if (other !== undefined) tell(other)
    void comeBack()
  })
  socket.on('connect_error', (error) => {
    const refusal = handshakes.refusal ?? refusalIn(error) ?? catalogueErrorIn(error) ?? certificateFault(error)
    if (refusal !== undefined && FINAL_REFUSALS.includes(refusal.code)) {
      handlers.onRefused(refusal)
      return
    }
    if (isPollingNext() && !closed.aborted) {
      socket.connect()
      return
    }
    if (refusal === undefined || refusal.code === 'COORDINATOR_UNREACHABLE') tell(refusal ?? noAnswer(route))
    void comeBack()
  })
  socket.on('session', (message) => {
    dropNonsense(handlers, () => session.set(parseMessage(sessionSchema, message, 'a session').sessionToken))
  })
  answerWith(socket, handlers, jitterMs)
  socket.connect()
  return socket
}

/** What a coordinator that did answer said; undefined when nobody answered. */
function refusalIn(error: Error & { data?: unknown }): FedsvdError | undefined {
  return error.data === undefined ? undefined : FedsvdError.fromJSON(error.data)
}

function isRetryable(code: string | undefined): boolean {
  return code !== undefined && RETRYABLE_CODES.includes(code)
}

/** Tells nothing twice in a row. */
function onceForEach(tell: (other: FedsvdError | undefined) => void): (other: FedsvdError | undefined) => void {
  let last: string | undefined
  return (other) => {
    const message = other?.message ?? ''
    if (message !== last) tell(other)
    last = message
  }
}
