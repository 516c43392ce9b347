import { Worker } from 'node:worker_threads'
import type { TlsTrust } from '@fedsvd/engine/network'
import type { BirpcReturn } from 'birpc'
import { dropNonsense } from './answers.ts'
import { backOff, pause } from './back-off.ts'
import {
  type Answered,
  type ClientCalls,
  type ConnectionCalls,
  type ConnectionSettings,
  callsOver,
  fromPlain,
} from './connection-calls.ts'
import { routeTo } from './route.ts'
import {
  type Caller,
  type CoordinatorLink,
  CutOff,
  type LinkHandlers,
  type Moment,
  type Transport,
} from './transport.ts'

export interface ConnectionThreadOptions {
  readonly trust?: TlsTrust
  /** How long answers are kept back (`answer-hold.ts`), in milliseconds; 0 for not at all. */
  readonly holdMs?: number
  /** Starts a thread; where it is absent, that of `worker.mjs`. */
  readonly start?: (settings: ConnectionSettings) => Worker
}

function startWorker(workerData: ConnectionSettings): Worker {
  return new Worker(new URL('./worker.mjs', import.meta.url), { execArgv: [], workerData })
}

type Calls = BirpcReturn<ConnectionCalls, ClientCalls>

/** The thread has ended while it was asked; one that never began does not begin the next time either. */
class ConnectionThreadEnded extends Error {
  override readonly name = 'ConnectionThreadEnded'
  readonly hasBegun: boolean

  constructor(reason: string, { hasBegun }: { readonly hasBegun: boolean }) {
    super(`the thread of the connection has ended: ${reason}`)
    this.hasBegun = hasBegun
  }
}

interface Opened {
  readonly caller: Caller
  readonly handlers: LinkHandlers
}

/**
 * A transport over the network whose connection is kept by a thread of its own: heartbeats and probes are answered
 * while this process tokenises, clips and draws noise, and questions are stamped when they come. What this process says
 * to them leaves at a fixed time behind them. So a coordinator that asks often does not see what the process is at.
 *
 * A thread that ends is started again, and what was asked of it is asked again.
 *
 * @throws FedsvdError CONFIG_INVALID for an address or a proxy that is none
 */
export function connectionThread(
  address: string,
  { trust = {}, holdMs = 0, start = startWorker }: ConnectionThreadOptions = {},
): Transport {
  const { coordinator } = routeTo(address, trust)
  const thread = new ConnectionThread(() => start({ address, trust, holdMs }))
  return {
    coordinator,
    enrol: (request, signal, onUnreachable) => thread.enrol(request, signal, onUnreachable),
    open: (caller, handlers) => thread.open({ caller, handlers }),
  }
}

class ConnectionThread {
  readonly #startWorker: () => Worker
  readonly #waits = backOff()
  readonly #closed = new AbortController()
  readonly #unanswered = new Map<number, Parameters<Transport['enrol']>[2]>()
  #thread: Promise<Calls> | undefined
  #worker: Worker | undefined
  #opened: Opened | undefined
  #openedIn: Calls | undefined
  /** A thread has begun before. */
  #hasBegun = false
  #lastCall = 0
  /** Calls under way, and the link once it was opened: without them the thread ends. */
  #uses = 0

  constructor(startWorker: () => Worker) {
    this.#startWorker = startWorker
  }

  enrol: Transport['enrol'] = async (request, signal, onUnreachable) => {
    const call = this.#nextCall()
    this.#unanswered.set(call, onUnreachable)
    try {
      return await this.#call(call, signal, (calls) => calls.enrol(call, request))
    } finally {
      this.#unanswered.delete(call)
    }
  }

  open(opened: Opened): CoordinatorLink {
    this.#opened = opened
    this.#use(+1)
    if (this.#thread === undefined) void this.#started().catch(() => {})
    else void this.#thread.then((calls) => this.#openIn(calls)).catch(() => {})
    const over = async <T>(
      signal: AbortSignal,
      moment: Moment | undefined,
      ask: (calls: Calls, call: number, cause: number | undefined) => Promise<Answered<T>>,
    ): Promise<T> => {
      const call = this.#nextCall()
      const answered = await this.#call(call, signal, (calls) => ask(calls, call, moment?.at))
      if (moment !== undefined) moment.at = answered.at
      if ('refusal' in answered) throw fromPlain(answered.refusal)
      return answered.value
    }
    return {
      report: (report, signal = this.#closed.signal, moment?) =>
        over(signal, moment, (calls, call, cause) => calls.report(call, report, cause)),
      roundFailed: async (message, moment) => {
        const tell = over(this.#closed.signal, moment, (calls, call, cause) => calls.roundFailed(call, message, cause))
        await tell.catch(() => {}) // the client was stopped
      },
      fetchState: (sha256, bytes, signal, moment) =>
        over(signal, moment, (calls, call, cause) => calls.fetchState(call, { sha256, bytes }, cause)),
      upload: (update, signal, moment) =>
        over(signal, moment, (calls, call, cause) => calls.upload(call, update, cause)),
      [Symbol.asyncDispose]: async () => {
        if (this.#closed.signal.aborted) return
        this.#closed.abort(new Error('the client was stopped'))
        const calls = await this.#thread?.catch(() => undefined)
        await calls?.close().catch(() => {}) // it ends by itself when the connection is closed
      },
    }
  }

  #nextCall(): number {
    this.#lastCall += 1
    return this.#lastCall
  }

  /** Asks until a thread has answered. @throws the signal's reason when it aborts first */
  async #call<T>(call: number, signal: AbortSignal, ask: (calls: Calls) => Promise<T>): Promise<T> {
    let cancel: () => void = () => {}
    const cancelled = new Promise<never>((_, reject) => {
      cancel = () => {
        reject(signal.reason as Error)
        const cause = signal.reason instanceof CutOff ? signal.reason.at : undefined
        void this.#thread?.then((calls) => calls.cancel.asEvent(call, cause)).catch(() => {})
      }
    })
    cancelled.catch(() => {})
    signal.throwIfAborted()
    signal.addEventListener('abort', cancel)
    this.#use(+1)
    try {
      for (;;) {
        try {
          return await Promise.race([this.#started().then(ask), cancelled])
        } catch (error) {
          if (!(error instanceof ConnectionThreadEnded) || !error.hasBegun || signal.aborted) throw error
        }
        await pause(this.#waits.next().value, signal)
      }
    } finally {
      signal.removeEventListener('abort', cancel)
      this.#use(-1)
    }
  }

  #use(by: 1 | -1): void {
    this.#uses += by
    if (this.#uses > 0) return
    void this.#worker?.terminate()
    this.#worker = undefined
    this.#thread = undefined
  }

  #started(): Promise<Calls> {
    this.#thread ??= this.#start()
    return this.#thread
  }

  /** Once in each thread. */
  #openIn(calls: Calls): void {
    if (this.#opened === undefined || this.#openedIn === calls || this.#closed.signal.aborted) return
    this.#openedIn = calls
    const { clientId, instance } = this.#opened.caller
    calls.open.asEvent({ clientId, instance }).catch(() => {})
  }

  #start(): Promise<Calls> {
    const worker = this.#startWorker()
    this.#worker = worker
    return new Promise((resolve, reject) => {
      let calls: Calls | undefined
      let failure: string | undefined
      worker.on('error', (error) => {
        failure = String(error)
      })
      worker.once('exit', (code) => {
        const ended = new ConnectionThreadEnded(failure ?? `exit code ${code}`, { hasBegun: this.#hasBegun })
        reject(ended)
        calls?.$close(ended)
        if (this.#worker === worker) this.#ended(ended)
      })
      worker.once('message', () => {
        calls = callsOver<ConnectionCalls, ClientCalls>(worker, this.#functions())
        this.#hasBegun = true
        this.#openIn(calls) // before anything else is asked of it
        resolve(calls)
      })
    })
  }

  #ended(reason: ConnectionThreadEnded): void {
    this.#thread = undefined
    this.#worker = undefined
    if (this.#closed.signal.aborted || this.#opened === undefined) return
    const { handlers } = this.#opened
    if (!reason.hasBegun) {
      handlers.onRefused(reason)
      return
    }
    handlers.onDisconnected(reason.message)
    void pause(this.#waits.next().value, this.#closed.signal).then(
      () => void this.#started().catch(() => {}),
      () => {},
    )
  }

  #functions(): ClientCalls {
    const handlers = (): LinkHandlers => this.#open().handlers
    /** What a message makes of this process is told to the site, and changes nothing. */
    const told = (tell: (handlers: LinkHandlers) => void): void => dropNonsense(handlers(), () => tell(handlers()))
    return {
      enrolUnanswered: (call, other) => this.#unanswered.get(call)?.(other),
      connected: (way, at) => told((to) => to.onConnected(way, at)),
      disconnected: (reason) => told((to) => to.onDisconnected(reason)),
      unreachable: (error) => handlers().onUnreachable(error),
      refused: (error, at) => handlers().onRefused(error, at),
      nonsense: (error) => handlers().onNonsense(error),
      offer: (offer, at) => handlers().onOffer(offer, at),
      invitation: (invitation, at) => handlers().onInvitation(invitation, at),
      roundClosed: (message, at) => told((to) => to.onRoundClosed(message, at)),
      runPaused: (message, at) => told((to) => to.onRunPaused(message, at)),
      runEnded: (message, at) => told((to) => to.onRunEnded(message, at)),
      ledgerHead: (length) => this.#open().caller.ledgerHead(length) as ReturnType<ClientCalls['ledgerHead']>,
      signChallenge: (id, nonce) => this.#open().caller.signChallenge(id, nonce) as string,
    }
  }

  #open(): Opened {
    if (this.#opened !== undefined) return this.#opened
    throw new TypeError('expected a connection that was opened')
  }
}
