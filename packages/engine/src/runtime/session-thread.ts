import { Worker } from 'node:worker_threads'
import type { InferenceSession } from 'onnxruntime-node'
import type { RunTensor } from './graph-runner.ts'

type Tensors = Readonly<Record<string, RunTensor>>

type Question =
  | {
      readonly kind: 'open'
      readonly session: number
      readonly model: Uint8Array<ArrayBuffer> | string
      readonly settings: InferenceSession.SessionOptions
    }
  | { readonly kind: 'run'; readonly session: number; readonly inputs: Tensors }
  | { readonly kind: 'release'; readonly session: number }

type Answer = { readonly id: number } & ({ readonly tensors: Tensors } | { readonly error: Error })

interface Waiting {
  resolve(tensors: Tensors): void
  reject(error: Error): void
}

interface Thread {
  /** @throws what the library throws, or that the thread has ended */
  ask(question: Question, transfer?: readonly ArrayBuffer[]): Promise<Tensors>
}

/** A session of onnxruntime that computes outside the thread that asks. */
export interface ThreadedSession extends AsyncDisposable {
  /** @throws what the library throws */
  run(inputs: Tensors): Promise<Tensors>
}

/**
 * The one thread of this process in which onnxruntime computes. The library computes without giving its thread back,
 * and whoever talks to this process would see by the delay of an answer when it computes, and for how long. One for all
 * sessions, because the first thread of a process that opens one is the only one that takes denormals for zero.
 */
let current: Thread | undefined
let lastSession = 0

/**
 * Makes a session of a model's bytes, which are handed over, or of its file.
 *
 * @throws what the library throws
 */
export async function threadedSession(
  model: Uint8Array<ArrayBuffer> | string,
  settings: InferenceSession.SessionOptions,
): Promise<ThreadedSession> {
  current ??= startThread(() => {
    current = undefined
  })
  const thread = current
  lastSession += 1
  const session = lastSession
  await thread.ask({ kind: 'open', session, model, settings }, typeof model === 'string' ? [] : [model.buffer])
  let isReleased = false
  return {
    run: async (inputs) => {
      if (isReleased) throw new Error('the session has been released')
      return await thread.ask({ kind: 'run', session, inputs })
    },
    [Symbol.asyncDispose]: async () => {
      if (isReleased) return
      isReleased = true
      await thread.ask({ kind: 'release', session }).catch(() => {}) // a thread that has ended holds nothing
    },
  }
}

function startThread(onEnd: () => void): Thread {
  const worker = new Worker(new URL('./onnx-thread.mjs', import.meta.url), { execArgv: [] })
  const waiting = new Map<number, Waiting>()
  let lastId = 0
  let ended: Error | undefined
  const end = (error: Error): void => {
    ended ??= error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
    onEnd()
  }
  worker.on('error', end)
  worker.on('exit', (code) => end(new Error(`the thread of onnxruntime has ended with exit code ${code}`)))
  worker.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (waiting.size === 0) worker.unref() // it keeps no process alive that waits for nothing
    if ('error' in answer) asked?.reject(answer.error)
    else asked?.resolve(answer.tensors)
  })
  worker.unref()
  return {
    ask: (question, transfer = []) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended)
        lastId += 1
        waiting.set(lastId, { resolve, reject })
        worker.ref()
        worker.postMessage({ id: lastId, ...question }, transfer)
      }),
  }
}
