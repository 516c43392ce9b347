import type { OperatorEvents } from '@fedsvd/core/protocol'
import type { Logger } from 'pino'
import type { Namespace } from 'socket.io'
import { z } from 'zod'
import type { OperatorGate } from '../identity/index.ts'
import type { Conductor } from '../runs/index.ts'
import { connectError } from './clients.ts'

export type OperatorNamespace = Namespace<Record<string, never>, OperatorEvents>

/** No more than this often is one run sent; the last change is always sent. */
const LEAST_INTERVAL_MS = 50

const handshakeSchema = z.object({ token: z.string() })

/** The namespace `/operator`: snapshots of open runs on connection, and of every run whenever it changes. */
export class OperatorFeed {
  readonly #namespace: OperatorNamespace
  readonly #conductor: () => Conductor
  readonly #log: Logger
  readonly #busy = new Set<string>()
  readonly #dirty = new Set<string>()

  constructor(namespace: OperatorNamespace, gate: OperatorGate, conductor: () => Conductor, log: Logger) {
    this.#namespace = namespace
    this.#conductor = conductor
    this.#log = log
    namespace.use((socket, next) => {
      try {
        gate.check(handshakeSchema.safeParse(socket.handshake.auth).data?.token)
        next()
      } catch (error) {
        next(connectError(error, log))
      }
    })
    namespace.on('connection', (socket) => {
      for (const runId of this.#conductor().liveRunIds) {
        this.#conductor()
          .snapshot(runId)
          .then((snapshot) => socket.emit('run', snapshot))
          .catch((error: unknown) => log.warn({ err: error, runId }, 'a snapshot was not sent'))
      }
    })
  }

  /** A run has changed: its operators hear of it now, or as soon as the interval allows. */
  changed(runId: string): void {
    if (this.#namespace.sockets.size === 0) return
    this.#dirty.add(runId)
    if (!this.#busy.has(runId)) void this.#send(runId)
  }

  async #send(runId: string): Promise<void> {
    this.#busy.add(runId)
    try {
      while (this.#dirty.delete(runId)) {
        this.#namespace.emit('run', await this.#conductor().snapshot(runId))
        await new Promise((resolve) => setTimeout(resolve, LEAST_INTERVAL_MS))
      }
    } catch (error) {
      this.#log.warn({ err: error, runId }, 'a snapshot was not sent')
    } finally {
      this.#busy.delete(runId)
    }
  }
}
