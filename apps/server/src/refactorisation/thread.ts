import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Question, Reply } from './answerer.ts'
import type { StepResult } from './step.ts'

/** The thread has ended before it answered: it ran out of memory, a library took it down, or it never answered. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded'
}

/** The thread that makes steps; it is started with the first question, and again after it has ended. */
export interface StepThread extends AsyncDisposable {
  /**
   * @param limitMs how long the thread may take from when it begins with this question; it is given up then
   * @throws what the thread threw, or ThreadEnded
   */
  ask(question: Omit<Question, 'id'>, limitMs?: number): Promise<StepResult | undefined>
}

interface Waiting {
  readonly limitMs: number | undefined
  readonly resolve: (result: StepResult | undefined) => void
  readonly reject: (error: Error) => void
}

/**
 * @param extensions loaded there as here, since methods may come from them
 * @param file what the thread runs
 */
export function stepThread(
  extensions: readonly string[] = [],
  file = new URL('./worker.mjs', import.meta.url),
): StepThread {
  let starting: Promise<Worker> | undefined
  let current: Worker | undefined
  let isDisposed = false
  let lastId = 0
  const waiting = new Map<number, Waiting>()
  let timer: NodeJS.Timeout | undefined

  /** Questions are answered one after the other, so the first of those that wait is the one that is being worked on. */
  function watch(worker: Worker): void {
    clearTimeout(timer)
    const [first] = waiting.values()
    if (first?.limitMs === undefined) return
    const { limitMs } = first
    timer = setTimeout(() => {
      end(`no answer within ${limitMs / 1000} s`)
      void worker.terminate() // not awaited: a native call that never returns cannot be ended
    }, limitMs)
  }

  function end(reason: string): void {
    starting = undefined
    current = undefined
    clearTimeout(timer)
    const asked = [...waiting.values()]
    waiting.clear()
    for (const { reject } of asked) reject(new ThreadEnded(`the thread has ended: ${reason}`))
  }

  function start(): Promise<Worker> {
    const worker = new Worker(file, { execArgv: [], workerData: { extensions } })
    current = worker
    worker.unref()
    return new Promise((resolve, reject) => {
      let failure: string | undefined
      worker.on('error', (error) => {
        failure = error.message
      })
      worker.once('exit', (code) => {
        const reason = isDisposed ? 'it was told to' : (failure ?? `its exit code was ${code}`)
        reject(new ThreadEnded(`the thread has ended: ${reason}`))
        if (current === worker) end(reason)
      })
      worker.once('message', () => {
        worker.on('message', (reply: Reply) => {
          const asked = waiting.get(reply.id)
          waiting.delete(reply.id)
          if ('result' in reply) asked?.resolve(reply.result)
          else asked?.reject(errorOf(reply.error))
          watch(worker)
          if (waiting.size === 0) worker.unref()
        })
        resolve(worker)
      })
    })
  }

  return {
    async ask(question, limitMs) {
      if (isDisposed) throw new ThreadEnded('the thread has ended: it was told to')
      starting ??= start()
      const worker = await starting
      return await new Promise<StepResult | undefined>((resolve, reject) => {
        lastId += 1
        waiting.set(lastId, { limitMs, resolve, reject })
        if (waiting.size === 1) watch(worker)
        worker.ref()
        worker.postMessage({ ...question, id: lastId } satisfies Question)
      })
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true
      const worker = await starting?.catch(() => undefined)
      await worker?.terminate()
    },
  }
}

function errorOf(told: unknown): Error {
  return typeof told === 'string' ? new Error(told) : FedsvdError.fromJSON(told)
}
