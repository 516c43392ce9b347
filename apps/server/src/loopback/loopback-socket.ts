import { EventEmitter } from 'node:events'
import type { ClientHandshake } from '@fedsvd/core/protocol'

/** The client's end of a loopback connection: what it hears, and how it learns of the end. */
export interface LoopbackListener {
  /** A message of the coordinator; `reply` where it asks for an answer. */
  onMessage(event: string, message: unknown, reply?: (answer: unknown) => void): void
  onEnd(reason: string): void
}

/**
 * The coordinator's end of a connection within one process, with as much of a Socket.IO socket as the namespace of
 * clients uses. A message arrives in a turn of its own, as a copy, as it would over a wire.
 */
export class LoopbackSocket extends EventEmitter {
  readonly data: { clientId?: string; version?: string; instance?: string } = {}
  readonly handshake: { readonly auth: ClientHandshake }
  connected = true
  readonly #listener: LoopbackListener

  constructor(auth: ClientHandshake, listener: LoopbackListener) {
    super()
    this.handshake = { auth }
    this.#listener = listener
  }

  /** Only events that the protocol names are sent by the client's end, so there is nothing to drop. */
  use(): this {
    return this
  }

  join(): void {}

  override emit(event: string, ...args: unknown[]): boolean {
    if (this.connected) queueMicrotask(() => this.#listener.onMessage(event, copyOf(args[0])))
    return true
  }

  /** Asks the client; rejects when nobody has answered in time. */
  timeout(ms: number): { emitWithAck(event: string, message?: unknown): Promise<unknown> } {
    return {
      emitWithAck: (event, message) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error('no answer in time')), ms)
          timer.unref()
          queueMicrotask(() =>
            this.#listener.onMessage(event, copyOf(message), (answer) => {
              clearTimeout(timer)
              resolve(copyOf(answer))
            }),
          )
        }),
    }
  }

  /** Hands in what the client says. */
  heard(event: string, message: unknown, reply?: (answer: unknown) => void): void {
    if (this.connected) super.emit(event, copyOf(message), reply)
  }

  disconnect(): this {
    this.end('io server disconnect')
    return this
  }

  /** Ends the connection from either side. */
  end(reason: string): void {
    if (!this.connected) return
    this.connected = false
    super.emit('disconnect', reason)
    this.#listener.onEnd(reason)
  }
}

function copyOf(message: unknown): unknown {
  return message === undefined ? undefined : (JSON.parse(JSON.stringify(message)) as unknown)
}
