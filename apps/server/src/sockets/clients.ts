import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import {
  type ClientHandshake,
  type ClientToServerEvents,
  clientHandshakeSchema,
  type LedgerHead,
  type LedgerPartReply,
  type LedgerReply,
  LIMITS,
  ledgerReportSchema,
  parseMessage,
  requireProtocol,
  roundFailedSchema,
  type ServerToClientEvents,
} from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { Namespace } from 'socket.io'
import type { Sessions } from '../identity/index.ts'
import { retryDuringOutage, systemClock } from '../platform/index.ts'
import { notExtended, requireExtension } from '../privacy/index.ts'
import type { Runs } from '../runs/index.ts'
import type { ClientRecord, ClientStore } from '../storage/records/index.ts'
import { toFedsvdError } from '../telemetry/index.ts'
import type { ClientSocket } from './local-connections.ts'
import { permitEvents } from './permit-events.ts'
import type { Presence } from './presence.ts'
import { ReportInParts } from './report-parts.ts'

export type ClientNamespace = Namespace<
  ClientToServerEvents,
  ServerToClientEvents,
  BetweenCoordinators,
  { clientId: string; version?: string; instance?: string }
>

/** What coordinators on one database say to each other, as JSON. */
export interface BetweenCoordinators {
  cluster(envelope: string): void
}

export interface ClientNamespaceParts {
  readonly sessions: Sessions
  readonly clients: Pick<ClientStore, 'noteLedger'>
  readonly presence: Presence
  readonly runs: Pick<Runs, 'connectedClients' | 'reports'>
  readonly log: Logger
  /** Throws when a client reports too often. */
  readonly limitReports: (clientId: string, times?: number) => Promise<void>
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
/** A report of more reservations counts as several towards the limit of a minute. */
const RESERVATIONS_OF_A_REPORT = 200
/** Characters of a report in parts: as many as one message of Socket.IO may have. */
const LONGEST_REPORT = 4 * 2 ** 20
/** A connection is closed after so many refusals: even refusing costs something. */
const MOST_REFUSALS = 100

/** The namespace `/client`: a handshake needs a signature, and one identity has one connection. */
export function serveClients(namespace: ClientNamespace, parts: ClientNamespaceParts): void {
  const { sessions, clients, presence, runs, log, onCount, onSeen, limitReports, registry } = parts

  namespace.use((socket, next) => {
    void admit(socket, next, parts)
  })

  namespace.on('connection', (socket) => {
    const { clientId } = socket.data
    permitEvents('/client', socket)
    if (presence.local.isOther(clientId, socket.data.instance)) {
      // Two hosts connected at the same moment. This one is told why when it connects again.
      socket.disconnect(true)
      return
    }
    presence.local.cut(clientId)
    if (!socket.connected) return // it came over the same transport as the one before, and has ended with it
    const { connectionId, signal } = presence.local.connect(clientId, socket)
    const sessionToken = sessions.begin(clientId, connectionId)
    onCount(presence.local.size)
    onSeen(clientId, socket.data.version)
    socket.once('disconnect', (reason) => {
      sessions.end(sessionToken)
      onCount(presence.local.size)
      onSeen(clientId, socket.data.version)
      log.info({ clientId, reason }, 'client disconnected')
      registry?.exited(clientId, connectionId).catch((error: unknown) => {
        log.warn({ err: error, clientId }, 'recording the end of a connection failed')
      })
    })
    let pending = 0
    const ledgers = new ReportedLedgers(clients, clientId)
    let refusals = 0
    const limited = async (message: unknown): Promise<void> => {
      try {
        await limitReports(clientId, weightOf(message))
      } catch (error) {
        refusals += 1
        if (refusals > MOST_REFUSALS) socket.disconnect(true)
        throw error
      }
    }
    const answered = (reply: unknown, answer: () => Promise<LedgerPartReply>): void => {
      if (typeof reply !== 'function') return
      pending += 1
      void answer()
        .catch((error: unknown) => ({ agrees: false, error: toFedsvdError(error, log).toJSON() }))
        .then((value) => (reply as (answer: LedgerPartReply) => void)(value))
        .finally(() => {
          pending -= 1
        })
    }
    socket.on('ledger-report', (message: unknown, reply: unknown) => {
      answered(reply, async () => {
        await limited(message)
        return await answerReport({ runs, ledgers, clientId, message, pending })
      })
    })
    const inParts = new ReportInParts(LONGEST_REPORT)
    socket.on('ledger-report-part', (part: unknown, reply: unknown) => {
      answered(reply, async () => {
        if (!inParts.isNext(part)) await limited(part) // the first part has paid for those that follow it
        const text = inParts.take(part)
        if (text === undefined) return { received: true }
        return await answerReport({ runs, ledgers, clientId, message: parsedJson(text), pending })
      })
    })
    socket.once('disconnect', () => inParts.drop())
    socket.on('round-failed', (message: unknown) => {
      void limited(message)
        .then(() => runs.reports.roundFailed(clientId, parseMessage(roundFailedSchema, message, 'a failed round')))
        .catch((error: unknown) => log.warn({ err: error, clientId }, 'recording the failed round of a client failed'))
    })
    log.info({ clientId }, 'client connected')
    const begin = (): void => {
      void socket.join(clientId)
      socket.emit('session', { sessionToken })
      runs.connectedClients.arrived(clientId, signal, 'here')
    }
    if (registry === undefined) begin()
    else {
      retryDuringOutage(() => registry.entered(clientId, connectionId), systemClock, signal).then(
        () => signal.aborted || begin(),
        () => socket.disconnect(true),
      )
    }
    // A client that was revoked since its handshake is disconnected. An outage of the database decides nothing.
    retryDuringOutage(() => sessions.requireGoodStanding(clientId), systemClock, signal).then(
      () => presence.local.vouch(clientId, connectionId),
      () => socket.disconnect(true),
    )
  })
}

/** Lets a socket in whose handshake is signed, or says why not. */
async function admit(
  socket: ClientSocket,
  next: (refusal?: Error) => void,
  { sessions, clients, presence, runs, log }: ClientNamespaceParts,
): Promise<void> {
  try {
    const { auth } = socket.handshake
    requireProtocol((auth as { protocolVersion?: unknown } | undefined)?.protocolVersion, 'client')
    const handshake = parseMessage(clientHandshakeSchema, auth, 'a client handshake')
    const client = await sessions.authenticate(handshake)
    await requireOneLedger(client, handshake, { clients, presence }).catch(async (error: unknown) => {
      if (isFedsvdError(error, 'LEDGER_MISMATCH') || isFedsvdError(error, 'CLIENT_CONNECTED'))
        await runs.reports.alertAbout(client.id, error)
      throw error
    })
    socket.data.clientId = client.id
    if (handshake.version !== undefined) socket.data.version = handshake.version
    if (handshake.instance !== undefined) socket.data.instance = handshake.instance
  } catch (error) {
    next(connectError(error, log))
    return
  }
  next()
}

/**
 * One identity is one process with one ledger, which only grows.
 *
 * @throws FedsvdError LEDGER_MISMATCH for a ledger that is a copy, CLIENT_CONNECTED for a second host with the same
 *   state
 */
async function requireOneLedger(
  client: ClientRecord,
  { ledger, instance }: ClientHandshake,
  { clients, presence }: Pick<ClientNamespaceParts, 'clients' | 'presence'>,
): Promise<void> {
  requireExtension(client.ledger, ledger)
  if (await presence.messenger.isTaken(client.id, instance)) {
    throw new FedsvdError('CLIENT_CONNECTED', {
      expected: 'one process with the state folder of this client',
      got: 'a second one, while the first is connected',
      remedy: 'Stop one of the two hosts, and never copy a state folder: enrol a second site with a token of its own.',
    })
  }
  if (ledger === undefined) return
  const remembered = await clients.noteLedger(client.id, { length: ledger.length, head: ledger.head })
  if (remembered !== undefined) requireExtension(remembered, ledger)
}

/** How many reports a message counts as; it has not been looked at yet, and may be anything, null included. */
function weightOf(message: unknown): number {
  const { reservations, of } = (message ?? {}) as { reservations?: unknown; of?: unknown }
  if (Array.isArray(reservations)) return Math.ceil(Math.max(1, reservations.length) / RESERVATIONS_OF_A_REPORT)
  return typeof of === 'number' && of > 1 ? Math.min(of, LIMITS.reportParts.most) : 1
}

/** Undefined for a text that is no JSON, which no schema takes. */
function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Report {
  readonly runs: Pick<Runs, 'connectedClients' | 'reports'>
  readonly ledgers: ReportedLedgers
  readonly clientId: string
  readonly message: unknown
  readonly pending: number
}

async function answerReport({ runs, ledgers, clientId, message, pending }: Report): Promise<LedgerReply> {
  if (pending > MOST_PENDING_REPORTS) {
    throw new FedsvdError('RATE_LIMITED', {
      expected: `at most ${MOST_PENDING_REPORTS} ledger reports at a time`,
      got: String(pending),
      remedy: 'Wait for the replies.',
    })
  }
  const report = parseMessage(ledgerReportSchema, message, 'a ledger report')
  try {
    await ledgers.note(report.ledger)
  } catch (error) {
    if (!isFedsvdError(error, 'LEDGER_MISMATCH')) throw error
    await runs.reports.alertAbout(clientId, error)
    throw error
  }
  return await runs.reports.ledger(clientId, report)
}

/**
 * The ledger of one connected client, as its reports show it grow. Reports may be taken in another order than they
 * came.
 */
class ReportedLedgers {
  readonly #clients: Pick<ClientStore, 'noteLedger'>
  readonly #clientId: string
  #longest = 0

  constructor(clients: Pick<ClientStore, 'noteLedger'>, clientId: string) {
    this.#clients = clients
    this.#clientId = clientId
  }

  /** @throws FedsvdError LEDGER_MISMATCH when a longer ledger is remembered that this connection has not shown */
  async note(ledger: LedgerHead | undefined): Promise<void> {
    if (ledger === undefined || ledger.length < this.#longest) return
    this.#longest = ledger.length
    const remembered = await this.#clients.noteLedger(this.#clientId, ledger)
    if (remembered === undefined) return
    const isLonger = remembered.length > ledger.length
    if (isLonger ? remembered.length <= this.#longest : remembered.head === ledger.head) return
    throw notExtended(remembered, `one of ${ledger.length} entries`)
  }
}

/** Socket.IO hands `data` of a refused connection to the client. */
export function connectError(error: unknown, log: Logger): Error {
  const refusal = toFedsvdError(error, log)
  return Object.assign(new Error(refusal.message), { data: refusal.toJSON() })
}
