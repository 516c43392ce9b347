import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Answer, Question } from './answer.ts'

/** Answers accounting questions away from the event loop. Undefined where there was no answer within the limits. */
export interface AccountingThread {
  /** `urgent`: a round waits for it; figures that are only shown come after those. */
  ask(question: Question, urgency: 'urgent' | 'shown'): Promise<number | undefined>
}

export interface ThreadLimits {
  /** How long one question may be worked on. */
  readonly limitMs: number
  /** How many may wait; beyond that there is no answer. */
  readonly mostWaiting: number
}

/** Within the ranges of the protocol a question takes 5 s at most on a quiet core. */
export const THREAD_LIMITS: ThreadLimits = { limitMs: 20_000, mostWaiting: 10_000 }

interface Job {
  readonly question: Question
  readonly resolve: (reply: Answer | undefined) => void
}

/**
 * One thread, started with the first question. A question that takes too long costs the thread its life, and the next one
 * starts another. It does not keep the process alive.
 */
export function accountingThread({ limitMs, mostWaiting }: ThreadLimits = THREAD_LIMITS): AccountingThread {
  const queues: Record<'urgent' | 'shown', Job[]> = { urgent: [], shown: [] }
  let worker: Worker | undefined
  let isWorking = false

  async function work(): Promise<void> {
    isWorking = true
    for (;;) {
      const job = queues.urgent.shift() ?? queues.shown.shift()
      if (job === undefined) break
      job.resolve(await answerTo(job.question))
    }
    isWorking = false
  }

  /** Undefined when it took too long, or the thread has died. */
  async function answerTo(question: Question): Promise<Answer | undefined> {
    const late = new AbortController()
    let timer: NodeJS.Timeout | undefined
    try {
      worker ??= await startedThread()
      timer = setTimeout(() => late.abort(), limitMs)
      const replied = once(worker, 'message', { signal: late.signal }) as Promise<[Answer]>
      worker.postMessage(question)
      return (await replied)[0]
    } catch {
      await worker?.terminate()
      worker = undefined
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async ask(question, urgency) {
      if (queues.urgent.length + queues.shown.length >= mostWaiting) return undefined
      const replied = new Promise<Answer | undefined>((resolve) => queues[urgency].push({ question, resolve }))
      if (!isWorking) void work()
      const reply = await replied
      if (reply !== undefined && 'error' in reply) throw FedsvdError.fromJSON(reply.error)
      return reply?.value
    },
  }
}

async function startedThread(): Promise<Worker> {
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { execArgv: [] })
  await once(worker, 'message')
  worker.unref()
  worker.on('error', () => {}) // whoever waits for an answer hears of it
  return worker
}

let shared: AccountingThread | undefined

/** The one of this process: coordinators of a process share it. */
export function sharedAccountingThread(): AccountingThread {
  shared ??= accountingThread()
  return shared
}
