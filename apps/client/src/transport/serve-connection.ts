import type { MessagePort } from 'node:worker_threads'
import { monotonicMs, turn } from '../platform/index.ts'
import { AnswerHold } from './answer-hold.ts'
import { answerJitterMs } from './answer-jitter.ts'
import {
  type Answered,
  type ClientCalls,
  type ConnectionCalls,
  type ConnectionSettings,
  callsOver,
  toPlain,
} from './connection-calls.ts'
import { FewAtOnce } from './few-at-once.ts'
import { networkTransport } from './network.ts'
import type { CoordinatorLink, LinkHandlers } from './transport.ts'

/** Each may be as long as a message can be; the process refuses more than half of them. */
const MOST_OFFERS = 32
/** Other messages of a coordinator: many times what it has to say about the runs that a site may take part in. */
const MOST_OTHERS = 1024

/** A coordinator that does not let go of its connection is not waited for longer. */
const LONGEST_CLOSING_MS = 2000

/** Keeps the connection of the process at the other end of the port, until it is told to close it. */
export function serveConnection(port: MessagePort, { address, trust, holdMs }: ConnectionSettings): void {
  const transport = networkTransport(address, trust, holdMs > 0 ? { jitterMs: answerJitterMs } : {})
  const hold = new AnswerHold(holdMs)
  const calls = new Map<number, AbortController>()
  let link: CoordinatorLink | undefined

  /** Runs a call that `cancel` can end. */
  const cancellable = async <T>(call: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const abort = new AbortController()
    calls.set(call, abort)
    try {
      return await run(abort.signal)
    } finally {
      calls.delete(call)
    }
  }
  const overLink = async <T>(
    call: number,
    cause: number | undefined,
    run: (link: CoordinatorLink, signal: AbortSignal) => Promise<T>,
  ): Promise<Answered<T>> =>
    await cancellable(call, async (signal) => {
      if (cause !== undefined) await hold.behind(cause)
      signal.throwIfAborted()
      if (link === undefined) throw new TypeError('expected a connection that was opened')
      try {
        return { value: await run(link, signal), at: monotonicMs() }
      } catch (error) {
        return { refusal: toPlain(error), at: monotonicMs() }
      }
    })
  const offers = new FewAtOnce(MOST_OFFERS)
  const others = new FewAtOnce(MOST_OTHERS)
  /** What the process says to a question of the coordinator, so long behind the question. */
  const held = async <T>(ask: (at: number) => Promise<T>): Promise<T> => {
    const at = monotonicMs()
    try {
      return await ask(at)
    } finally {
      await hold.behind(at)
    }
  }
  /** Tells the process of something; a message too many is not listened to. */
  const tell = (say: (at: number) => Promise<void>): void => void others.pass(() => held(say)).catch(() => {})

  const client = callsOver<ClientCalls, ConnectionCalls>(port, {
    enrol: (call, request) =>
      cancellable(call, (signal) =>
        transport.enrol(request, signal, (other) => void client.enrolUnanswered.asEvent(call, other)),
      ),
    open: ({ clientId, instance }) => {
      link = transport.open(
        {
          clientId,
          instance,
          ledgerHead: (length) => held(() => client.ledgerHead(length)),
          signChallenge: (id, nonce) => held(() => client.signChallenge(id, nonce)),
        },
        handlersOf(),
      )
    },
    report: (call, report, cause) => overLink(call, cause, (open, signal) => open.report(report, signal)),
    roundFailed: (call, message, cause) =>
      overLink(call, cause, async (open) => {
        await open.roundFailed(message)
        return undefined
      }),
    fetchState: (call, { sha256, bytes }, cause) =>
      overLink(call, cause, (open, signal) => open.fetchState(sha256, bytes, signal)),
    upload: (call, update, cause) => overLink(call, cause, (open, signal) => open.upload(update, signal)),
    cancel: (call, cause) => {
      const kept = cause === undefined ? Promise.resolve() : hold.behind(cause)
      void kept.then(() => calls.get(call)?.abort(new Error('it is not waited for any more')))
    },
    close: async () => {
      await hold.settled() // what was said already still leaves,
      await turn() // behind this
      await link?.[Symbol.asyncDispose]()
      setImmediate(() => port.close()) // behind the answer to this
      setTimeout(() => process.exit(), LONGEST_CLOSING_MS).unref() // of this thread
    },
  })

  const handlersOf = (): LinkHandlers => ({
    onConnected: (way) => void client.connected.asEvent(way, monotonicMs()),
    onDisconnected: (reason) => void client.disconnected.asEvent(reason),
    onUnreachable: (error) => void client.unreachable.asEvent(error),
    onRefused: (error) => void held((at) => client.refused(error, at)).catch(() => {}),
    onNonsense: (error) => tell(() => client.nonsense(error)),
    onOffer: (offer) => offers.pass(() => held((at) => client.offer(offer, at))),
    onInvitation: (invitation) => others.pass(() => held((at) => client.invitation(invitation, at))),
    onRoundClosed: (message) => tell((at) => client.roundClosed(message, at)),
    onRunPaused: (message) => tell((at) => client.runPaused(message, at)),
    onRunEnded: (message) => tell((at) => client.runEnded(message, at)),
  })
}
