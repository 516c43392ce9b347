import { Worker } from 'node:worker_threads'
import type { InferenceSession } from 'onnxruntime-node'
import type { RunTensor } from './graph-runner.ts'

type Tensors = Readonly<Record<string, RunTensor>>

/** What the thread says: once that it is ready, then an answer for each run; or what was wrong. */
type Message = { readonly isReady: true } | { readonly outputs: Tensors } | { readonly error: Error }

interface Waiting {
  resolve(message: Message): void
  reject(error: Error): void
}

/**
 * A session of onnxruntime in a thread of its own. The library computes without giving its thread back, and whoever
 * talks to this process would see by the delay of an answer when it computes, and for how long.
 */
export interface SessionThread extends AsyncDisposable {
  /** @throws what the library throws */
  run(inputs: Tensors): Promise<Tensors>
}

/**
 * Makes a session of a model's bytes, which are handed over, or of its file.
 *
 * @throws what the library throws
 */
export async function sessionThread(
  model: Uint8Array<ArrayBuffer> | string,
  settings: InferenceSession.SessionOptions,
): Promise<SessionThread> {
  const worker = new Worker(new URL('./onnx-thread.mjs', import.meta.url), {
    execArgv: [],
    workerData: { model, settings },
    ...(typeof model !== 'string' && { transferList: [model.buffer] }),
  })
  let waiting: readonly Waiting[] = []
  let ended: Error | undefined
  const end = (error: Error): void => {
    ended ??= error
    for (const { reject } of waiting) reject(ended)
    waiting = []
  }
  worker.on('error', end)
  worker.on('exit', (code) => end(new Error(`the thread of a session has ended with exit code ${code}`)))
  worker.on('message', (message: Message) => {
    const [first, ...others] = waiting
    waiting = others
    if (waiting.length === 0) worker.unref() // it keeps no process alive that waits for nothing
    if ('error' in message) first?.reject(message.error)
    else first?.resolve(message)
  })
  const answer = (): Promise<Message> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended)
      waiting = [...waiting, { resolve, reject }]
      worker.ref()
    })
  const close = async (): Promise<void> => {
    await worker.terminate()
  }
  try {
    await answer()
  } catch (error) {
    await close()
    throw error
  }
  return {
    async run(inputs) {
      const answered = answer()
      worker.postMessage(inputs)
      const message = await answered
      return 'outputs' in message ? message.outputs : {}
    },
    [Symbol.asyncDispose]: close,
  }
}
