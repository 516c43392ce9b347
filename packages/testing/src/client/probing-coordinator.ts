import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { RoundClosed } from '@fedsvd/core/protocol'

/** A coordinator in a thread of its own, which asks its one client whatever it may. */
export interface ProbingCoordinator extends AsyncDisposable {
  readonly url: string
  /** Settles when the client has connected the next time. */
  connected(): Promise<unknown>
  /** Settles with the next failure of a round that the client tells. */
  failed(): Promise<unknown>
  /** How long the client takes to answer a question, in milliseconds. */
  ask(event: 'offer' | 'invite', message: unknown): Promise<number>
  /** Closes a round while its state is fetched; how long it takes to cut off the request, in milliseconds. */
  closeRound(message: RoundClosed): Promise<number>
  /** Asks so often at once; how many of the questions were refused by that code. */
  flood(flooded: Flooded): Promise<number>
  /** Does nothing at all for so long. @returns what settles when that is over */
  freeze(milliseconds: number): Promise<{ readonly thawed: Promise<unknown> }>
  /** Asks every so often for so long; how long each answer took, in milliseconds. */
  watch(watched: Watched): Promise<readonly number[]>
  /**
   * Blocks this thread until the client has answered `enough` heartbeats and as many probes, or for as long as is said.
   * Whether it has.
   */
  blockUntilAnswered(enough: number, longestMs: number): Promise<boolean>
}

export interface Watched {
  readonly event: 'probe' | 'invite'
  readonly message?: unknown
  readonly everyMs: number
  readonly forMs: number
}

export interface Flooded {
  readonly event: 'offer' | 'invite'
  readonly message: unknown
  readonly times: number
  readonly code: string
}

export async function probingCoordinator(): Promise<ProbingCoordinator> {
  const answered = new Int32Array(new SharedArrayBuffer(4))
  const workerData = { answered: answered.buffer }
  const worker = new Worker(new URL('./probing-thread.mjs', import.meta.url), { execArgv: [], workerData })
  const told = async <T>(): Promise<T> => {
    const [message] = (await once(worker, 'message')) as [T]
    return message
  }
  const { port } = await told<{ port: number }>()
  return {
    url: `http://127.0.0.1:${port}`,
    connected: () => told(),
    failed: () => told(),
    ask: async (event, message) => {
      worker.postMessage({ question: { event, message } })
      return (await told<{ milliseconds: number }>()).milliseconds
    },
    closeRound: async (closed) => {
      worker.postMessage({ closed })
      return (await told<{ milliseconds: number }>()).milliseconds
    },
    flood: async (flooded) => {
      worker.postMessage({ flooded })
      return (await told<{ refused: number }>()).refused
    },
    freeze: async (frozenMs) => {
      worker.postMessage({ frozenMs })
      await told()
      return { thawed: told() }
    },
    watch: async (watched) => {
      worker.postMessage({ watched })
      return (await told<{ times: readonly number[] }>()).times
    },
    blockUntilAnswered: async (enough, longestMs) => {
      worker.postMessage({ enough })
      await told()
      return Atomics.wait(answered, 0, 0, longestMs) !== 'timed-out'
    },
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}

/** Does nothing else for so long, as a process that computes. */
export function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}
