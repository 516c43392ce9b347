import { isFedsvdError } from '@fedsvd/core/errors'
import {
  type ClientToServerEvents,
  invitationSchema,
  offerSchema,
  parseMessage,
  roundClosedSchema,
  runEndedSchema,
  runPausedSchema,
  type ServerToClientEvents,
} from '@fedsvd/core/protocol'
import type { Socket } from 'socket.io-client'
import { catalogued, toWireError } from '../policy/refusals.ts'
import type { LinkHandlers } from './transport.ts'

export type ClientSocket = Socket<ServerToClientEvents, ClientToServerEvents>

/** As much of a socket as messages come in by: that of a network, or of a loopback. */
export type HeardSocket = Pick<ClientSocket, 'id' | 'on'>

/** Hands every message that fits its schema to its handler, and every answer back. Nothing that comes in can throw. */
export function answerWith(socket: HeardSocket, handlers: LinkHandlers, probeMs: () => number = () => 0): void {
  socket.on('offer', (message, reply) => {
    answerQuestion(handlers, onThisConnection(socket, reply), () =>
      handlers.onOffer(parseMessage(offerSchema, message, 'an offer')),
    )
  })
  socket.on('invite', (message, reply) => {
    answerQuestion(handlers, onThisConnection(socket, reply), () =>
      handlers.onInvitation(parseMessage(invitationSchema, message, 'an invitation')),
    )
  })
  socket.on('probe', (reply) => {
    if (typeof reply !== 'function') return
    const afterMs = probeMs()
    if (afterMs > 0) setTimeout(reply, afterMs)
    else reply()
  })
  socket.on('round-closed', (message) => {
    dropNonsense(handlers, () => handlers.onRoundClosed(parseMessage(roundClosedSchema, message, 'a closed round')))
  })
  socket.on('run-paused', (message) => {
    dropNonsense(handlers, () => handlers.onRunPaused(parseMessage(runPausedSchema, message, 'a paused run')))
  })
  socket.on('run-ended', (message) => {
    dropNonsense(handlers, () => handlers.onRunEnded(parseMessage(runEndedSchema, message, 'an ended run')))
  })
}

/**
 * An answer goes to who asked: a coordinator that was restarted counts its questions anew, and would take it for the
 * answer to one of its own; and one to which the connection is not proved yet ends it.
 */
function onThisConnection<Answer>(
  socket: HeardSocket,
  reply: ((answer: Answer) => void) | undefined,
): ((answer: Answer) => void) | undefined {
  const { id } = socket
  if (typeof reply !== 'function') return undefined
  return (answer) => {
    if (socket.id === id) reply(answer)
  }
}

/** A question that asks for no answer, or says more than one thing, is not listened to. */
function answerQuestion<Reply extends { readonly accepted: boolean }>(
  handlers: LinkHandlers,
  reply: ((answer: Reply | ReturnType<typeof refused>) => void) | undefined,
  answer: () => Promise<Reply>,
): void {
  if (reply === undefined) {
    handlers.onNonsense(new TypeError('a question that asks for no answer'))
    return
  }
  const answered = async () => await answer()
  void answered().then(reply, (error: unknown) => reply(refused(handlers, error)))
}

/** Runs `use`; what it throws is told to the site and changes nothing. */
export function dropNonsense(handlers: LinkHandlers, use: () => void): void {
  try {
    use()
  } catch (error) {
    handlers.onNonsense(error instanceof Error ? error : new TypeError(String(error)))
  }
}

function refused(handlers: LinkHandlers, error: unknown) {
  handlers.onNonsense(error instanceof Error ? error : new TypeError(String(error)))
  const refusal = isFedsvdError(error, 'MESSAGE_INVALID') ? error : toWireError(catalogued(error))
  return { accepted: false as const, error: refusal.toJSON() }
}
