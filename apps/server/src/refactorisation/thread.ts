import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Question, Reply } from './answerer.ts'
import type { StepResult } from './step.ts'

/** The thread has ended before it answered: it ran out of memory, or a library took it down. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded'
}

/** The thread that makes steps; it is started with the first question, and again after it has ended. */
export interface StepThread extends AsyncDisposable {
  /** @throws what the thread threw, or ThreadEnded */
  ask(question: Omit<Question, 'id'>): Promise<StepResult | undefined>
}

interface Waiting {
  readonly resolve: (result: StepResult | undefined) => void
  readonly reject: (error: Error) => void
}

/** @param extensions loaded there as here, since methods may come from them */
export function stepThread(extensions: readonly string[] = []): StepThread {
  let starting: Promise<Worker> | undefined
  let lastId = 0
  const waiting = new Map<number, Waiting>()

  function start(): Promise<Worker> {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), { execArgv: [], workerData: { extensions } })
    worker.unref()
    let reason = 'it was told to'
    worker.on('error', (error) => {
      reason = error.message
    })
    worker.once('exit', () => {
      starting = undefined
      for (const { reject } of waiting.values()) reject(new ThreadEnded(`the thread has ended: ${reason}`))
      waiting.clear()
    })
    return once(worker, 'message').then(() => {
      worker.on('message', (reply: Reply) => {
        const asked = waiting.get(reply.id)
        waiting.delete(reply.id)
        if ('result' in reply) asked?.resolve(reply.result)
        else asked?.reject(errorOf(reply.error))
        if (waiting.size === 0) worker.unref()
      })
      return worker
    })
  }

  return {
    async ask(question) {
      starting ??= start()
      const worker = await starting
      return await new Promise<StepResult | undefined>((resolve, reject) => {
        lastId += 1
        waiting.set(lastId, { resolve, reject })
        worker.ref()
        worker.postMessage({ ...question, id: lastId } satisfies Question)
      })
    },
    async [Symbol.asyncDispose]() {
      const worker = await starting?.catch(() => undefined)
      await worker?.terminate()
    },
  }
}

function errorOf(told: unknown): Error {
  return typeof told === 'string' ? new Error(told) : FedsvdError.fromJSON(told)
}
