import { Worker } from 'node:worker_threads'
import { FedsvdError } from '@fedsvd/core/errors'

/** What a thread says; `answer-in-turn.mjs` is its side of it. */
type Answer = { readonly id: number } & (
  | { readonly value: unknown }
  | { readonly error: Error }
  | { readonly fault: ReturnType<FedsvdError['toJSON']> }
)

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** What is asked, by its kind: plain data and tensors, which are copied. */
export type ThreadQuestion = Readonly<Record<string, unknown>> & { readonly kind: string }

/** A thread of this process that answers questions, one after the other. */
export interface AskedThread {
  /**
   * @param transfer memory that is handed over with the question
   * @returns rejects with what the thread threw, or with the reason why it has ended
   */
  ask(question: ThreadQuestion, transfer?: readonly ArrayBuffer[]): Promise<unknown>
}

/**
 * Gives the one thread that runs `file`: it is started when it is first asked for, and again after it has ended. It
 * keeps no process alive that waits for no answer.
 *
 * @param name what the thread is called where it has ended
 */
export function oneThread(file: URL, name: string): () => AskedThread {
  let current: AskedThread | undefined
  return () => {
    current ??= startThread(file, name, () => {
      current = undefined
    })
    return current
  }
}

function startThread(file: URL, name: string, onEnd: () => void): AskedThread {
  const worker = new Worker(file, { execArgv: [] })
  const waiting = new Map<number, Waiting>()
  let lastId = 0
  let ended: Error | undefined
  const end = (error: Error): void => {
    if (ended !== undefined) return
    ended = error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
    onEnd()
  }
  worker.on('error', end)
  worker.on('exit', (code) => end(new Error(`the thread of ${name} has ended with exit code ${code}`)))
  worker.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (waiting.size === 0) worker.unref()
    if ('fault' in answer) asked?.reject(FedsvdError.fromJSON(answer.fault))
    else if ('error' in answer) asked?.reject(answer.error)
    else asked?.resolve(answer.value)
  })
  worker.unref()
  return {
    ask: (question, transfer = []) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended)
        lastId += 1
        worker.postMessage({ id: lastId, ...question }, transfer)
        waiting.set(lastId, { resolve, reject })
        worker.ref()
      }),
  }
}
