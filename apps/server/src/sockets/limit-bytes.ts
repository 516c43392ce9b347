import type { Logger } from 'pino'
import type { Namespace, Server, Socket } from 'socket.io'

/** A handshake has less than a thousandth of the longest message, which is for the reports of enrolled clients. */
const STRANGER_BYTES = 64 * 1024
/**
 * Of one client in a minute, whatever it sends: a message is parsed before anything in it can be refused. As many
 * ledger reports as may come in a minute have half of it.
 */
const CLIENT_BYTES = 64 * 2 ** 20
const MINUTE_MS = 60_000

/** What a packet of Engine.IO is to this room. */
interface Packet {
  readonly type: string
  readonly data?: string | Uint8Array
}

interface Window {
  readonly endsAt: number
  bytes: number
}

/**
 * Cuts connections that send too much, before it is parsed: of strangers anything beyond a handshake, of a client
 * anything beyond what it may send in a minute, over all of its connections.
 *
 * @param now milliseconds of a clock that never goes back
 */
export function limitBytes(
  io: Pick<Server, 'engine'>,
  clients: Pick<Namespace, 'on'>,
  log: Pick<Logger, 'warn'>,
  now: () => number = () => performance.now(),
): void {
  const clientOf = new WeakMap<object, string>()
  const windows = new Map<string, Window>()
  /** What a client has sent in its minute, this message included. */
  const ofClient = (clientId: string, bytes: number): number => {
    const time = now()
    // Insertion order is the order in which they end.
    for (const [other, { endsAt }] of windows) {
      if (endsAt > time) break
      windows.delete(other)
    }
    const window = windows.get(clientId) ?? { endsAt: time + MINUTE_MS, bytes: 0 }
    windows.set(clientId, window)
    window.bytes += bytes
    return window.bytes
  }
  clients.on('connection', (socket: Socket) => {
    clientOf.set(socket.conn, (socket.data as { readonly clientId: string }).clientId)
  })
  io.engine.on('connection', (connection: Socket['conn']) => {
    let ofStranger = 0
    connection.on('packet', ({ type, data }: Packet) => {
      if (type !== 'message') return
      const bytes = data?.length ?? 0
      const clientId = clientOf.get(connection)
      if (clientId === undefined) ofStranger += bytes
      const sent = clientId === undefined ? ofStranger : ofClient(clientId, bytes)
      if (sent <= (clientId === undefined ? STRANGER_BYTES : CLIENT_BYTES)) return
      log.warn({ clientId, bytes: sent }, 'closed a connection that sent too much')
      connection.close(true)
    })
  })
}
