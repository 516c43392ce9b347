import pg from 'pg'

const CONNECT_TIMEOUT_MS = 10_000

/** A connection that listens, as the adapter takes it. */
type Listener = pg.Client & { release: () => void }

/**
 * The two connections of the PostgreSQL adapter of Socket.IO, in the shape of the pool that it asks for: one that listens, and
 * one that sends, so that what is sent first arrives first.
 *
 * With a pool of pg itself, a listening connection that breaks would end the process (nobody handles its error) and keep its
 * place in the pool for ever; and one that breaks at a bad moment would come back twice, so that everything arrives twice.
 */
export class Notifications implements AsyncDisposable {
  readonly #options: pg.ClientConfig
  readonly #sender: pg.Pool
  #listener: Listener | undefined
  #ended = false

  constructor(connectionString: string) {
    this.#options = { connectionString, keepAlive: true, connectionTimeoutMillis: CONNECT_TIMEOUT_MS }
    this.#sender = new pg.Pool({ ...this.#options, max: 1 })
    this.#sender.on('error', () => {}) // the next query opens another connection
  }

  /** For the adapter. */
  get pool(): pg.Pool {
    const { connect, query } = { connect: () => this.#listen(), query: this.#sender.query.bind(this.#sender) }
    return { connect, query } as unknown as pg.Pool
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    this.#drop(this.#listener)
    await this.#sender.end()
  }

  async #listen(): Promise<Listener> {
    const listener = new pg.Client(this.#options) as Listener
    listener.on('error', () => {}) // its end follows, and the adapter asks for another
    listener.release = () => this.#drop(listener)
    await listener.connect()
    this.#drop(this.#listener)
    if (this.#ended) {
      this.#drop(listener)
      throw new Error('the coordinator shuts down')
    }
    this.#listener = listener
    return listener
  }

  #drop(listener: Listener | undefined): void {
    if (listener === undefined) return
    listener.removeAllListeners('end')
    listener.removeAllListeners('notification')
    listener.end().catch(() => {})
    if (this.#listener === listener) this.#listener = undefined
  }
}
