import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection on which a test sends what no client library would. */
export interface RawConnection {
  readonly socket: Socket
  /** Everything that has come back. */
  readonly received: () => string
  send(text: string | Uint8Array): void
  /** Resolves with all that came back when the other side has ended the connection. */
  readonly closed: Promise<string>
}

export async function rawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  socket.on('error', () => {}) // being cut off is what tests wait for
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)))
  await once(socket, 'connect')
  return { socket, received: () => text, send: (content) => void socket.write(content), closed }
}
