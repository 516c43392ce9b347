import { once } from 'node:events'
import type { Answer, Question } from './answer.ts'

/** Whether a round waits for the answer, or it is only shown. */
export type Urgency = 'urgent' | 'shown'

export interface Job {
  readonly question: Question
  /** The question as text: two with one text have one answer. */
  readonly key: string
  readonly urgency: Urgency
  /** On whose behalf it is asked. */
  readonly whose: string
  readonly resolve: (reply: Answer | undefined) => void
}

/** What a lane needs of a thread. */
export interface AccountingWorker {
  postMessage(question: Question): void
  terminate(): Promise<unknown>
  on(event: 'message', listener: (reply: Answer) => void): unknown
  once(event: string, listener: (...values: never[]) => void): unknown
}

export interface LaneParts {
  readonly start: () => Promise<AccountingWorker>
  /** How long one question may be worked on. */
  readonly limitMs: number
  /** What is known already; undefined where it has to be computed. */
  readonly known: (job: Job) => Answer | undefined
  /** Milliseconds of recent computing on behalf of a client, over all lanes. */
  readonly spentFor: (whose: string) => number
  readonly onDone: (job: Job, reply: Answer | undefined, milliseconds: number) => void
}

/** One thread and the queue of questions for it. A thread whose question takes too long is terminated. */
export class Lane {
  readonly #parts: LaneParts
  readonly #waiting: Job[] = []
  #worker: AccountingWorker | undefined
  #isWorking = false

  constructor(parts: LaneParts) {
    this.#parts = parts
  }

  get length(): number {
    return this.#waiting.length
  }

  waitingFor(whose: string): number {
    return this.#waiting.reduce((count, job) => count + (job.whose === whose ? 1 : 0), 0)
  }

  push(job: Job): void {
    this.#waiting.push(job)
    if (!this.#isWorking) void this.#work()
  }

  async #work(): Promise<void> {
    this.#isWorking = true
    for (let job = this.#next(); job !== undefined; job = this.#next()) {
      const known = this.#parts.known(job)
      const started = performance.now()
      const reply = known ?? (await this.#answerTo(job.question))
      this.#parts.onDone(job, reply, performance.now() - started)
    }
    this.#isWorking = false
  }

  /** The next question: urgent ones first, then those of the client with the least recent computing, then in order. */
  #next(): Job | undefined {
    const rank = ({ urgency, whose }: Job): [number, number] => [
      urgency === 'urgent' ? 0 : 1,
      this.#parts.spentFor(whose),
    ]
    let [best, least] = [-1, [2, 0] as [number, number]]
    for (const [index, job] of this.#waiting.entries()) {
      const own = rank(job)
      if (own[0] < least[0] || (own[0] === least[0] && own[1] < least[1])) [best, least] = [index, own]
    }
    return best < 0 ? undefined : this.#waiting.splice(best, 1)[0]
  }

  /** Undefined when it took too long, or the thread has died. */
  async #answerTo(question: Question): Promise<Answer | undefined> {
    const timeout = new AbortController()
    let timer: NodeJS.Timeout | undefined
    try {
      this.#worker ??= await this.#parts.start()
      timer = setTimeout(() => timeout.abort(), this.#parts.limitMs)
      const replied = once(this.#worker as never, 'message', { signal: timeout.signal }) as Promise<[Answer]>
      this.#worker.postMessage(question)
      return (await replied)[0]
    } catch {
      await this.#worker?.terminate()
      this.#worker = undefined
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }
}
