import { Fetch } from 'socket.io-client'
import { takePacket } from './guarded-packets.ts'
import { request, textBody } from './http.ts'
import type { Route } from './route.ts'

/** Between the packets of a payload; in packets it is escaped. */
const SEPARATOR = '\x1e'
/** What Engine.IO answers to packets, as `text/html`. */
const WRITTEN = 'ok'
/** Packets are sent together up to this, so that proxies with a limit of 1 MB take them; a longer one goes alone. */
const MOST_TOGETHER = 256 * 1024
/**
 * The most that a coordinator may send at once, by either transport. Its longest message is an offer, whose manifest is
 * made of a request of at most 1 MiB and the layers of a model; several messages may travel together.
 */
export const LONGEST_PAYLOAD = 16 * 2 ** 20

/**
 * Long polling by the requests of a route: its proxy and its certificates, no redirect followed, other answers named.
 */
export function pollingBy(route: Route, heartbeatMs: () => number = () => 0): typeof Fetch {
  return class extends Fetch {
    readonly #closed = new AbortController()

    override doPoll(): void {
      this.#exchange().then(
        (payload) => this.onData(payload),
        (error: unknown) => this.onError('polling failed', error),
      )
    }

    override doWrite(payload: string, onWritten: () => void): void {
      const write = async (): Promise<void> => {
        for (const part of partsOf(payload)) await this.#exchange(part)
      }
      write().then(onWritten, (error: unknown) => this.onError('polling failed', error))
    }

    protected override onPacket(packet: Parameters<Fetch['onPacket']>[0]): void {
      takePacket(
        () => super.onPacket(packet),
        (...fault) => this.onError(...fault),
        packet.type === 'ping' ? heartbeatMs() : 0,
      )
    }

    protected override onClose(details?: Parameters<Fetch['onClose']>[0]): void {
      this.#closed.abort()
      super.onClose(details)
    }

    async #exchange(body?: string): Promise<string> {
      const headers = new Headers(body === undefined ? {} : { 'content-type': 'text/plain;charset=UTF-8' })
      this.socket._cookieJar.appendCookies(headers)
      const read = async (response: Response): Promise<string> => {
        // of a load balancer that is sticky by them
        this.socket._cookieJar.parseCookies(response.headers.getSetCookie())
        const payload = await textBody(response, LONGEST_PAYLOAD)
        if (body !== undefined && payload !== WRITTEN) throw new SyntaxError('not what Engine.IO answers')
        return payload
      }
      const url = new URL(this.uri())
      const what =
        body === undefined
          ? { url, init: { headers }, read }
          : { url, init: { method: 'POST', headers, body }, read, isTypedAsPage: true }
      return await request(route, what, this.#closed.signal)
    }
  }
}

function partsOf(payload: string): string[] {
  const parts: string[] = []
  for (const packet of payload.split(SEPARATOR)) {
    const joined = `${parts.at(-1)}${SEPARATOR}${packet}`
    if (parts.length > 0 && Buffer.byteLength(joined) <= MOST_TOGETHER) parts[parts.length - 1] = joined
    else parts.push(packet)
  }
  return parts
}
