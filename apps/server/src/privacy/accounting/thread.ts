import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'
import { LRUCache } from 'lru-cache'
import type { Answer, Question } from './answer.ts'
import { type AccountingWorker, type Job, Lane, type Urgency } from './lane.ts'

/** Answers accounting questions away from the event loop. Undefined where there was no answer within the limits. */
export interface AccountingThread {
  /**
   * `urgent`: a round waits for it; figures that are only shown come after those. `whose`: the client that it is about,
   * so that slow figures of one client delay its own answers only.
   */
  ask(question: Question, urgency: Urgency, whose?: string): Promise<number | undefined>
}

export interface ThreadLimits {
  /** How long one question may be worked on. */
  readonly limitMs: number
  /** Beyond this a question goes to a second thread, and so do all of that client's for a while. */
  readonly quickMs: number
  /** So long a round waits for the second thread. What comes later is remembered for the next time. */
  readonly patienceMs: number
  /** How long a client counts as slow. */
  readonly slowForMs: number
  /** How many may wait, in all and for each client; beyond that there is no answer. */
  readonly mostWaiting: number
  readonly mostWaitingEach: number
}

/**
 * Within the ranges of the protocol a question takes 5 s at most on a quiet core, and those of usual runs a hundredth
 * of it.
 */
export const THREAD_LIMITS: ThreadLimits = {
  limitMs: 20_000,
  quickMs: 2000,
  patienceMs: 5000,
  slowForMs: 60_000,
  mostWaiting: 10_000,
  mostWaitingEach: 1000,
}
const MOST_REMEMBERED = 10_000
/** The coordinator's own questions: it waits for them as long as they take, and all may be its own. */
const OWN = ''

/** Threads that start with the first question and do not keep the process alive. */
export function accountingThread(
  limits: Partial<ThreadLimits> = {},
  start: () => Promise<AccountingWorker> = startedThread,
): AccountingThread {
  const { limitMs, quickMs, patienceMs, slowForMs, mostWaiting, mostWaitingEach } = { ...THREAD_LIMITS, ...limits }
  const recent = new LRUCache<string, Answer>({ max: MOST_REMEMBERED })
  const spent = new LRUCache<string, number>({ max: MOST_REMEMBERED, ttl: slowForMs, noUpdateTTL: true })
  const slow = new LRUCache<string, true>({ max: MOST_REMEMBERED, ttl: slowForMs })
  /** A round has waited for these in vain: nothing that is not known already is computed for one for a while. */
  const timedOut = new LRUCache<string, true>({ max: MOST_REMEMBERED, ttl: slowForMs })

  const shared = {
    start,
    known: ({ key }: Job) => recent.get(key),
    spentFor: (whose: string) => spent.get(whose) ?? 0,
  }
  const settle = (job: Job, reply: Answer | undefined, milliseconds: number): void => {
    spent.set(job.whose, (spent.get(job.whose) ?? 0) + milliseconds)
    if (reply !== undefined) recent.set(job.key, reply)
    job.resolve(reply)
  }
  const second = new Lane({ ...shared, limitMs, onDone: settle })
  const first = new Lane({
    ...shared,
    limitMs: Math.min(quickMs, limitMs),
    onDone: (job, reply, milliseconds) => {
      if (reply !== undefined) return settle(job, reply, milliseconds)
      slow.set(job.whose, true)
      toSecond(job)
    },
  })

  function toSecond(job: Job): void {
    const { whose, urgency, resolve } = job
    if (urgency !== 'urgent' || whose === OWN) {
      second.push(job)
      return
    }
    const timer = setTimeout(() => {
      timedOut.set(whose, true)
      resolve(undefined)
    }, patienceMs).unref()
    second.push({
      ...job,
      resolve: (reply) => {
        clearTimeout(timer)
        resolve(reply)
      },
    })
  }

  const hasRoom = (whose: string): boolean => {
    if (first.length + second.length >= mostWaiting) return false
    return whose === OWN || first.waitingFor(whose) + second.waitingFor(whose) < mostWaitingEach
  }

  return {
    async ask(question, urgency, whose = OWN) {
      const key = JSON.stringify(question)
      const mayWait = hasRoom(whose) && !(urgency === 'urgent' && timedOut.has(whose))
      const reply = mayWait
        ? await new Promise<Answer | undefined>((resolve) => {
            const job = { question, key, urgency, whose, resolve }
            if (slow.has(whose)) toSecond(job)
            else first.push(job)
          })
        : recent.get(key)
      if (reply !== undefined && 'error' in reply) throw FedsvdError.fromJSON(reply.error)
      return reply?.value
    },
  }
}

async function startedThread(): Promise<Worker> {
  const worker = new Worker(new URL('./worker.mjs', import.meta.url), { execArgv: [] })
  await once(worker, 'message')
  worker.unref()
  worker.on('error', () => {}) // the callers that wait for an answer get the error
  return worker
}

let shared: AccountingThread | undefined

/** The one of this process: coordinators of a process share it. */
export function sharedAccountingThread(): AccountingThread {
  shared ??= accountingThread()
  return shared
}
