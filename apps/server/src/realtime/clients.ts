import { FedsvdError } from '@fedsvd/core/errors'
import {
  type ClientToServerEvents,
  clientHandshakeSchema,
  type LedgerReply,
  ledgerReportSchema,
  parseMessage,
  roundFailedSchema,
  type ServerToClientEvents,
} from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { Namespace } from 'socket.io'
import type { Sessions } from '../identity/index.ts'
import { despiteOutages, systemClock } from '../rounds/index.ts'
import type { Conductor } from '../runs/index.ts'
import { toCatalogue } from '../telemetry/index.ts'
import { permitEvents } from './permit-events.ts'
import type { ClientSocket, Presence } from './presence.ts'

export type ClientNamespace = Namespace<
  ClientToServerEvents,
  ServerToClientEvents,
  BetweenCoordinators,
  { clientId: string; version?: string }
>

/** What coordinators on one database say to each other, as JSON. */
export interface BetweenCoordinators {
  cluster(envelope: string): void
}

export interface ClientNamespaceParts {
  readonly sessions: Sessions
  readonly presence: Presence
  readonly conductor: Conductor
  readonly log: Logger
  /** Throws when a client reports too often. */
  readonly limitReports: (clientId: string) => Promise<void>
  readonly onCount: (connected: number) => void
  /** A client came or went. */
  readonly onSeen: (clientId: string, version: string | undefined) => void
  /** Makes connections known to other coordinators, where there may be some. */
  readonly registry?: ConnectionRegistry | undefined
}

export interface ConnectionRegistry {
  entered(clientId: string, connectionId: string): Promise<void>
  exited(clientId: string, connectionId: string): Promise<void>
}

const MOST_PENDING_REPORTS = 16

/** The namespace `/client`: nobody gets in without a signature, and one identity has one connection. */
export function serveClients(namespace: ClientNamespace, parts: ClientNamespaceParts): void {
  const { sessions, presence, conductor, log, onCount, onSeen, limitReports, registry } = parts

  namespace.use((socket, next) => {
    void admit(socket, next, sessions, log)
  })

  namespace.on('connection', (socket) => {
    const { clientId } = socket.data
    permitEvents('/client', socket)
    const { connectionId, signal } = presence.connect(clientId, socket)
    const sessionToken = sessions.begin(clientId, connectionId)
    onCount(presence.size)
    onSeen(clientId, socket.data.version)
    socket.once('disconnect', (reason) => {
      sessions.end(sessionToken)
      onCount(presence.size)
      onSeen(clientId, socket.data.version)
      log.info({ clientId, reason }, 'client disconnected')
      registry?.exited(clientId, connectionId).catch((error: unknown) => {
        log.warn({ err: error, clientId }, 'the end of a connection is not known to other coordinators yet')
      })
    })
    let pending = 0
    socket.on('ledger-report', (message: unknown, reply: unknown) => {
      if (typeof reply !== 'function') return
      pending += 1
      void limitReports(clientId)
        .then(() => answerReport(conductor, clientId, message, pending))
        .catch((error: unknown) => ({ agrees: false, error: toCatalogue(error, log).toJSON() }))
        .then((answer) => (reply as (answer: LedgerReply) => void)(answer))
        .finally(() => {
          pending -= 1
        })
    })
    socket.on('round-failed', (message: unknown) => {
      void limitReports(clientId)
        .then(() => conductor.roundFailed(clientId, parseMessage(roundFailedSchema, message, 'a failed round')))
        .catch((error: unknown) => log.warn({ err: error, clientId }, 'it was not noted that a round failed'))
    })
    log.info({ clientId }, 'client connected')
    const begin = (): void => {
      void socket.join(clientId)
      socket.emit('session', { sessionToken })
      conductor.clientArrived(clientId, signal)
    }
    if (registry === undefined) begin()
    else {
      despiteOutages(() => registry.entered(clientId, connectionId), systemClock, signal).then(
        () => signal.aborted || begin(),
        () => socket.disconnect(true),
      )
    }
    // Whoever was revoked between its handshake and now is not let stay. An outage of the database decides nothing.
    despiteOutages(() => sessions.requireGoodStanding(clientId), systemClock, signal).then(
      () => presence.vouch(clientId, connectionId),
      () => socket.disconnect(true),
    )
  })
}

/** Lets a socket in whose handshake is signed, or says why not. */
async function admit(
  socket: ClientSocket,
  next: (refusal?: Error) => void,
  sessions: Sessions,
  log: Logger,
): Promise<void> {
  try {
    const handshake = parseMessage(clientHandshakeSchema, socket.handshake.auth, 'a client handshake')
    socket.data.clientId = (await sessions.authenticate(handshake)).id
    if (handshake.version !== undefined) socket.data.version = handshake.version
  } catch (error) {
    next(connectError(error, log))
    return
  }
  next()
}

async function answerReport(
  conductor: Conductor,
  clientId: string,
  message: unknown,
  pending: number,
): Promise<LedgerReply> {
  if (pending > MOST_PENDING_REPORTS) {
    throw new FedsvdError('RATE_LIMITED', {
      expected: `at most ${MOST_PENDING_REPORTS} ledger reports at a time`,
      got: String(pending),
      remedy: 'Wait for the replies.',
    })
  }
  return await conductor.ledgerReport(clientId, parseMessage(ledgerReportSchema, message, 'a ledger report'))
}

/** Socket.IO hands `data` of a refused connection to the client. */
export function connectError(error: unknown, log: Logger): Error {
  const refusal = toCatalogue(error, log)
  return Object.assign(new Error(refusal.message), { data: refusal.toJSON() })
}
