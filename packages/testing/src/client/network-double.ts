import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FedsvdError } from '@fedsvd/core/errors'
import type { ClientToServerEvents, ServerToClientEvents } from '@fedsvd/core/protocol'
import { Server, type Socket } from 'socket.io'
import type { CoordinatorDouble } from './coordinator-double.ts'

/** A {@link CoordinatorDouble} on a port of the loopback interface. */
export interface NetworkDouble extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Where a path is redirected to; a test may change it. */
  redirect: (path: string) => string | undefined
  /** Sends a packet of Engine.IO, below Socket.IO, to every client. */
  sendPacket(type: 'open' | 'message', data?: string): void
}

interface PacketSender {
  sendPacket(type: string, data: string | undefined): void
}

/** Serves a double over HTTP and Socket.IO, as a coordinator is; on `port`, or on a free one. */
export async function serveDouble(
  double: CoordinatorDouble,
  port = 0,
  failing: () => boolean = () => false,
): Promise<NetworkDouble> {
  const served = { redirect: (_path: string): string | undefined => undefined }
  const http = createServer((request, response) => {
    if (failing()) {
      response.writeHead(503).end()
      return
    }
    const elsewhere = served.redirect(request.url ?? '')
    if (elsewhere !== undefined) {
      response.writeHead(307, { location: elsewhere }).end()
      return
    }
    answer(double, request).then(
      (body) => {
        const isBytes = body instanceof Uint8Array
        response.writeHead(200, { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' })
        response.end(isBytes ? body : JSON.stringify(body))
      },
      (error: unknown) => refuse(response, error),
    )
  })
  const io = new Server<ClientToServerEvents, ServerToClientEvents>(http, { serveClient: false })
  serveClients(double, io)
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
  const address = http.address() as AddressInfo
  return Object.assign(served, {
    sendPacket: (type: 'open' | 'message', data?: string) => {
      const engines = Object.values(
        (io.engine as unknown as { readonly clients: Record<string, PacketSender> }).clients,
      )
      for (const engine of engines) engine.sendPacket(type, data)
    },
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections()
      await io.close()
    },
  })
}

function serveClients(double: CoordinatorDouble, io: Server<ClientToServerEvents, ServerToClientEvents>): void {
  const clients = io.of('/client')
  clients.use((socket, next) => {
    try {
      socket.data.clientId = double.authenticate(socket.handshake.auth).clientId
      next()
    } catch (error) {
      next(Object.assign(new Error('refused'), { data: (error as FedsvdError).toJSON() }))
    }
  })
  clients.on('connection', (socket: Socket<ClientToServerEvents, ServerToClientEvents>) => {
    socket.on('ledger-report', (message, reply) => reply(double.report(message)))
    socket.on('round-failed', (message) => double.roundFailed(message))
    socket.on('disconnect', () => double.left())
    socket.emit('session', { sessionToken: double.sessionToken })
    double.arrived({
      clientId: socket.data.clientId as string,
      offer: (manifest) => socket.emitWithAck('offer', { manifest }),
      invite: (invitation) => socket.emitWithAck('invite', invitation),
      roundClosed: (message) => void socket.emit('round-closed', message),
      runPaused: (message) => void socket.emit('run-paused', message),
      runEnded: (message) => void socket.emit('run-ended', message),
      drop: () => void socket.disconnect(true),
    })
  })
}

async function answer(double: CoordinatorDouble, request: IncomingMessage): Promise<unknown> {
  const { pathname } = new URL(request.url ?? '', 'http://double')
  const token = request.headers.authorization?.replace('Bearer ', '')
  const body = await bytesOf(request)
  const [, version, what, ...rest] = pathname.split('/')
  if (version === 'v1' && what === 'enrol') return double.enrol(JSON.parse(body.toString()))
  if (version === 'v1' && what === 'challenge') return double.challenge(JSON.parse(body.toString()))
  if (version === 'v1' && what === 'blobs') return double.blob(rest[0]!, token)
  if (version === 'v1' && what === 'runs') return double.upload(rest[0]!, Number(rest[2]), token, body)
  throw new TypeError(`no answer for ${pathname}`)
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function refuse(response: ServerResponse, error: unknown): void {
  if (!(error instanceof FedsvdError)) {
    response.writeHead(500).end()
    return
  }
  response.writeHead(error.httpStatus, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: error.toJSON() }))
}
