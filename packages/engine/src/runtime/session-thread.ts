import type { InferenceSession } from 'onnxruntime-node'
import { oneThread } from './asked-thread.ts'
import type { GraphRunner } from './graph-runner.ts'
import { threadedRunner } from './threaded-runner.ts'

/**
 * The one thread of this process in which onnxruntime computes. The library computes without giving its thread back,
 * and whoever talks to this process would see by the delay of an answer when it computes, and for how long. One for all
 * sessions, because the first thread of a process that opens one is the only one that takes denormals for zero.
 */
const onnxThread = oneThread(new URL('./onnx-thread.mjs', import.meta.url), 'onnxruntime')

/**
 * Makes a session of a model's bytes, which are handed over, or of its file. It computes outside the thread that asks.
 *
 * @throws what the library throws
 */
export async function threadedSession(
  model: Uint8Array<ArrayBuffer> | string,
  settings: InferenceSession.SessionOptions,
): Promise<GraphRunner> {
  return await threadedRunner(onnxThread(), { model, settings }, typeof model === 'string' ? [] : [model.buffer])
}
