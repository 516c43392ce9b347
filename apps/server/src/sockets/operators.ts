import { type OperatorEvents, parseMessage } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { Namespace, Socket } from 'socket.io'
import { z } from 'zod'
import {
  type Caller,
  checkCsrfToken,
  NAMESPACES,
  OPERATOR_NAMESPACE,
  type OperatorSessions,
  ownsRun,
  type RevokedSession,
  requireRole,
  sessionCookie,
} from '../identity/index.ts'
import type { Clock } from '../platform/index.ts'
import type { RunViews } from '../views/index.ts'
import { connectError } from './clients.ts'
import { permitEvents } from './permit-events.ts'

interface OperatorSocketData {
  caller: Caller
}
export type OperatorNamespace = Namespace<
  Record<string, never>,
  OperatorEvents,
  Record<string, never>,
  OperatorSocketData
>
type OperatorSocket = Socket<Record<string, never>, OperatorEvents, Record<string, never>, OperatorSocketData>

/** No more than this often is one run sent; the last change is always sent. */
const LEAST_INTERVAL_MS = 50
/** How often the session of an open connection is checked: another coordinator may have ended it. */
const RECHECK_MS = 15_000

const handshakeSchema = z.strictObject({ token: z.string().optional(), csrfToken: z.string().optional() })

export interface OperatorFeedParts {
  readonly sessions: OperatorSessions
  readonly views: RunViews
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The namespace `/operator`: snapshots of open runs on connection, and of every run whenever it changes. Operators see
 * their own runs, admins and auditors all of them. A connection ends with its session.
 */
export class OperatorFeed {
  readonly #namespace: OperatorNamespace
  readonly #parts: OperatorFeedParts
  readonly #busy = new Set<string>()
  readonly #dirty = new Set<string>()

  constructor(namespace: OperatorNamespace, parts: OperatorFeedParts) {
    this.#namespace = namespace
    this.#parts = parts
    namespace.use((socket, next) => {
      void this.#admit(socket, next)
    })
    namespace.on('connection', (socket) => this.#connected(socket))
  }

  /** A run has changed: its operators hear of it now, or as soon as the interval allows. */
  changed(runId: string): void {
    if (this.#namespace.sockets.size === 0) return
    this.#dirty.add(runId)
    if (!this.#busy.has(runId)) void this.#send(runId)
  }

  /** Ends the connections of a session, or of an operator, that is no more. */
  cut(ended: RevokedSession): void {
    for (const socket of this.#namespace.sockets.values()) {
      const { session, operator } = socket.data.caller
      const isMeant = 'session' in ended ? session?.hash === ended.session : operator?.id === ended.operatorId
      if (isMeant) socket.disconnect(true)
    }
  }

  /** By a token in the handshake, or by the session cookie together with its CSRF token. */
  async #admit(socket: OperatorSocket, next: (refusal?: Error) => void): Promise<void> {
    try {
      socket.data.caller = await this.#callerOf(socket)
    } catch (error) {
      next(connectError(error, this.#parts.log))
      return
    }
    next()
  }

  async #callerOf(socket: OperatorSocket): Promise<Caller> {
    const { token, csrfToken } = socket.handshake.auth as Readonly<Record<string, unknown>>
    // Behind a proxy this does not tell TLS; the CSRF token binds the cookie to the session of the page all the same.
    const cookie = sessionCookie(socket.handshake.headers.cookie, socket.handshake.secure)
    const { caller, byCookie } = await this.#parts.sessions.identify({ bearer: textOf(token), cookie })
    if (byCookie) checkCsrfToken(caller, textOf(csrfToken))
    requireRole(caller, NAMESPACES[OPERATOR_NAMESPACE]!, OPERATOR_NAMESPACE)
    parseMessage(handshakeSchema, socket.handshake.auth, 'a handshake') // strangers learn only that they are strangers
    return caller
  }

  #connected(socket: OperatorSocket): void {
    const { log } = this.#parts
    permitEvents(OPERATOR_NAMESPACE, socket)
    this.#watch(socket)
    this.#sendOpenRuns(socket).catch((error: unknown) =>
      log.warn({ err: error }, 'sending the open runs to an operator failed'),
    )
  }

  async #sendOpenRuns(socket: OperatorSocket): Promise<void> {
    for (const { snapshot, ownerId } of await this.#parts.views.openSnapshots()) {
      if (ownsRun(socket.data.caller, { ownerId })) socket.emit('run', snapshot)
    }
  }

  /**
   * Looks again when the session is due to end, and every so often; a session in use has moved its end by then. Who has
   * another role by now connects anew, and sees what that one may.
   */
  #watch(socket: OperatorSocket): void {
    const { sessions, clock, log } = this.#parts
    const { session, role } = socket.data.caller
    if (session === undefined) return
    const look = async (): Promise<void> => {
      const standing = await sessions.standingOf(session.hash)
      if (standing?.role !== role) socket.disconnect(true)
      else if (socket.connected) arm(standing.expiresAt)
    }
    let cancel = (): void => {}
    const arm = (expiresAt: number): void => {
      cancel = clock.at(Math.min(expiresAt, clock.now() + RECHECK_MS), () => {
        look().catch((error: unknown) => {
          log.warn({ err: error }, 'looking up the session of an operator failed')
          arm(clock.now() + RECHECK_MS)
        })
      })
    }
    socket.once('disconnect', () => cancel())
    arm(clock.now()) // at once: it may have ended since the handshake
  }

  async #send(runId: string): Promise<void> {
    const { views, log } = this.#parts
    this.#busy.add(runId)
    try {
      while (this.#dirty.delete(runId)) {
        const { snapshot, ownerId } = await views.ownedSnapshot(runId)
        for (const socket of this.#namespace.sockets.values()) {
          if (ownsRun(socket.data.caller, { ownerId })) socket.emit('run', snapshot)
        }
        await new Promise((resolve) => setTimeout(resolve, LEAST_INTERVAL_MS))
      }
    } catch (error) {
      log.warn({ err: error, runId }, 'sending a snapshot of the run failed')
    } finally {
      this.#busy.delete(runId)
    }
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
