import { FedsvdError } from '@fedsvd/core/errors'
import type { Server, Socket } from 'socket.io'
import { EVENTS } from '../identity/index.ts'

/** Drops every event that the table of permissions does not name, and says so where a reply is asked for. */
export function permitEvents(namespace: string, socket: Pick<Socket, 'use'>): void {
  socket.use(([event, ...args], next) => {
    if (Object.hasOwn(EVENTS, `${namespace} ${event}`)) return next()
    const reply: unknown = args.at(-1)
    if (typeof reply !== 'function') return
    const error = new FedsvdError('FORBIDDEN', {
      expected: `an event that the protocol reference lists for ${namespace}`,
      got: String(event).slice(0, 80),
      remedy: 'Send none but those.',
    })
    reply({ error: error.toJSON() })
  })
}

/** The namespace `/`, which Socket.IO always opens, is not used; connections to it are closed. */
export function closeRoot(io: Pick<Server, 'use'>): void {
  const refusal = new FedsvdError('FORBIDDEN', {
    expected: 'one of the namespaces of the protocol reference',
    got: '/',
    remedy: 'Connect to /client or /operator.',
  })
  io.use((_socket, next) => next(Object.assign(new Error(refusal.message), { data: refusal.toJSON() })))
}

export interface ServedEvents {
  readonly namespaces: readonly string[]
  /** `namespace event` for all that the connections of this moment listen to. */
  readonly events: readonly string[]
}

export function servedEvents(io: Server): ServedEvents {
  const namespaces = [...io._nsps.values()]
  const events = namespaces.flatMap(({ name, sockets }) =>
    [...sockets.values()].flatMap((socket) =>
      (socket.eventNames() as (string | symbol)[]).map((event) => `${name} ${String(event)}`),
    ),
  )
  return {
    namespaces: namespaces.map(({ name }) => name),
    events: [...new Set(events)].filter((event) => !/ (disconnect|disconnecting|error)$/.test(event)).sort(),
  }
}
