import { isFedsvdError } from '@fedsvd/core/errors'
import { tunnelThrough } from '@fedsvd/engine/network'
import { io, type ManagerOptions, NodeWebSocket, type Socket, type SocketOptions } from 'socket.io-client'
import { takePacket } from './guarded-packets.ts'
import { LONGEST_PAYLOAD, pollingBy } from './polling.ts'
import type { Route } from './route.ts'

/** A socket to a coordinator, not connected yet, and how it gets there. */
export interface RoutedSocket<S> {
  readonly socket: S
  /** The transport of the connection, or of the last attempt at one. */
  readonly transport: () => 'websocket' | 'polling'
  /** True where the attempt that has just failed was over WebSocket: long polling has its turn, at once. */
  readonly isPollingNext: () => boolean
}

/** An option of `ws` that the types of Socket.IO leave out: a longer message ends the connection before it is read. */
const OF_WS = { maxPayload: LONGEST_PAYLOAD }
/**
 * A WebSocket that is cut sooner than this did not last: some intercepting proxies let it open and close it at once.
 */
const SHORT_LIVED_MS = 60_000
/** So many of them in a row, and long polling comes first. */
const MOST_SHORT_LIVED = 3
/** How a connection ends that neither side ended on purpose. */
const CUT: readonly string[] = ['transport close', 'transport error', 'ping timeout']

export interface SocketClocks {
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number
  /** How long the next heartbeat is kept before it is answered, in milliseconds; absent: not at all. */
  readonly heartbeatMs?: () => number
}

function guardedWebSocket(heartbeatMs: () => number): typeof NodeWebSocket {
  return class extends NodeWebSocket {
    protected override onPacket(packet: Parameters<NodeWebSocket['onPacket']>[0]): void {
      takePacket(
        () => super.onPacket(packet),
        (...fault) => this.onError(...fault),
        packet.type === 'ping' ? heartbeatMs() : 0,
      )
    }
  }
}

/**
 * Opens a namespace of a coordinator over WebSocket. Where that does not get through, the next attempt is by long
 * polling, which is plain HTTP; where that fails too, it is WebSocket's turn again. Long polling comes first until it
 * fails where a WebSocket was swallowed without an answer, which is not waited for each time, and where three in a row
 * were cut soon after they had opened.
 *
 */
export function openSocket<S extends Socket>(
  route: Route,
  namespace: '/client' | '/operator',
  options: Partial<ManagerOptions & SocketOptions>,
  { now = () => performance.now(), heartbeatMs = () => 0 }: SocketClocks = {},
): RoutedSocket<S> {
  const { coordinator, trust, proxy } = route
  const { origin, pathname } = new URL(coordinator)
  const transports = { websocket: guardedWebSocket(heartbeatMs), polling: pollingBy(route, heartbeatMs) }
  const socket = io(`${origin}${namespace}`, {
    path: `${pathname.replace(/\/$/, '')}/socket.io`,
    forceNew: true,
    autoConnect: false,
    upgrade: false,
    ...OF_WS,
    withCredentials: true,
    transports: [transports.websocket],
    ...trust,
    ...(proxy && { agent: tunnelThrough(proxy) as never }),
    ...options,
  })
  let used: keyof typeof transports = 'websocket'
  let first: keyof typeof transports = 'websocket'
  let failed: keyof typeof transports | undefined
  const use = (transport: keyof typeof transports): void => {
    used = transport
    socket.io.opts.transports = [transports[transport]]
  }
  // Before the socket tells whoever listens to it.
  socket.io.on('error', (error: Error) => {
    failed = used
    if (used === 'websocket') first = error.message === 'timeout' ? 'polling' : 'websocket'
    else first = 'websocket'
    use(used === 'websocket' ? 'polling' : first)
  })
  let opened: keyof typeof transports = 'websocket'
  let openedAt = 0
  let shortLived = 0
  socket.io.on('open', () => {
    failed = undefined
    opened = used
    openedAt = now()
  })
  socket.io.on('close', (reason: string) => {
    failed = undefined
    if (opened === 'websocket' && CUT.includes(reason)) {
      shortLived = now() - openedAt < SHORT_LIVED_MS ? shortLived + 1 : 0
      if (shortLived >= MOST_SHORT_LIVED) first = 'polling'
    }
    use(first)
  })
  return { socket: socket as S, transport: () => opened, isPollingNext: () => failed === 'websocket' }
}

/**
 * The error of the catalogue somewhere in what a socket tells of a failure, such as what answered in the coordinator's
 * place.
 */
export function catalogueErrorIn(error: unknown) {
  let next = error
  for (let depth = 0; depth < 8 && typeof next === 'object' && next !== null; depth += 1) {
    if (isFedsvdError(next)) return next
    const { cause, description } = next as { cause?: unknown; description?: unknown }
    next = cause ?? description
  }
  return undefined
}
