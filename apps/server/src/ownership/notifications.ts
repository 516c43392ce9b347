import pg from 'pg'

const CONNECT_TIMEOUT_MS = 10_000
const MOST_LOOKS = 200
const LOOK_INTERVAL_MS = 20

/** A connection that listens, as the adapter takes it. */
type Listener = pg.Client & { release: () => void }

/**
 * The two connections of the PostgreSQL adapter of Socket.IO, in the shape of the pool that it asks for: one that
 * listens, and one that sends, so that what is sent first arrives first.
 *
 * With a pool of pg itself, a listening connection that breaks would end the process (its error has no handler) and
 * keep its place in the pool for ever; and one that breaks at a bad moment would come back twice, so that everything
 * arrives twice.
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

  /** Resolves once what is sent on a channel is heard here; a database that is away is not waited for. */
  async listensTo(channel: string): Promise<void> {
    const sql = 'SELECT 1 FROM pg_listening_channels() AS channel WHERE channel = $1'
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      const found = await this.#listener?.query(sql, [channel]).catch(() => undefined)
      if ((found?.rowCount ?? 0) > 0) return
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS))
    }
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
