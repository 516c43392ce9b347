import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'

/** What a reverse proxy of a test answers by itself. */
export interface OwnAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A reverse proxy on loopback, in as much as the way to a coordinator needs one. A test may change all of it. */
export interface ReverseProxy extends AsyncDisposable {
  /** With the prefix. */
  readonly url: string
  readonly port: number
  /** `METHOD /path` of all requests that were let through, as the coordinator gets them. */
  readonly passed: string[]
  /** What becomes of WebSockets. */
  websocket: 'pass' | 'refuse'
  /** Cuts all WebSockets that are open, and says how many they were. */
  cutWebsockets(): number
  /** Larger bodies are refused with 413, as nginx does. */
  mostBodyBytes: number
  /** Answers in the place of what stands behind. */
  answer: (path: string) => OwnAnswer | undefined
}

const PAGE = { 'content-type': 'text/html' }

export async function reverseProxy(target: string, prefix = ''): Promise<ReverseProxy> {
  const { hostname, port } = new URL(target)
  const open = new Set<Duplex>()
  const proxy = {
    cutWebsockets: () => {
      const cut = open.size
      for (const socket of open) socket.destroy()
      return cut
    },
    websocket: 'pass' as ReverseProxy['websocket'],
    mostBodyBytes: Number.POSITIVE_INFINITY,
    answer: (_path: string): OwnAnswer | undefined => undefined,
    passed: [] as string[],
  }
  /** Undefined for what is not below the prefix. */
  const pathOf = ({ url = '/' }: IncomingMessage): string | undefined =>
    url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : undefined

  const server = createServer((incoming, outgoing) => {
    const path = pathOf(incoming)
    const own = path === undefined ? { status: 404 } : proxy.answer(path)
    if (own !== undefined) return answerPage(incoming, outgoing, own)
    if (Number(incoming.headers['content-length'] ?? 0) > proxy.mostBodyBytes) {
      return answerPage(incoming, outgoing, { status: 413 })
    }
    proxy.passed.push(`${incoming.method} ${path}`)
    const { method, headers } = incoming
    const passed = request({ hostname, port, path, method, headers }, (reply) => {
      outgoing.writeHead(reply.statusCode!, reply.headers)
      reply.pipe(outgoing)
    })
    passed.on('error', () =>
      outgoing.headersSent ? outgoing.destroy() : answerPage(incoming, outgoing, { status: 502 }),
    )
    outgoing.on('close', () => passed.destroy())
    incoming.pipe(passed)
  })
  server.on('upgrade', (incoming, socket, head) => {
    const path = pathOf(incoming)
    if (path === undefined || proxy.websocket === 'refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
      return
    }
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    const behind = connect(Number(port), hostname, () => {
      const headers = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${String(value)}`)
      behind.write([`GET ${path} HTTP/1.1`, ...headers, '', ''].join('\r\n'))
      behind.write(head)
      behind.pipe(socket).pipe(behind)
    })
    behind.on('error', () => socket.destroy())
    socket.on('error', () => behind.destroy())
    socket.on('close', () => behind.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: own } = server.address() as AddressInfo
  return Object.assign(proxy, {
    url: `http://127.0.0.1:${own}${prefix}`,
    port: own,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

function answerPage(incoming: IncomingMessage, outgoing: ServerResponse, { status, headers, body }: OwnAnswer): void {
  incoming.resume()
  outgoing.writeHead(status, { ...PAGE, ...headers }).end(body ?? `<html><h1>${status}</h1></html>`)
}
