import type { Graph } from '@fedsvd/core/autodiff'
import { oneThread } from '../asked-thread.ts'
import type { RunnerFactory } from '../graph-runner.ts'
import { threadedRunner } from '../threaded-runner.ts'

/**
 * The backends that compute in the thread which asks, and keep it until they are done. Whoever talks to this process
 * would see by the delay of an answer when they compute, and for how long, so each has a thread of its own.
 *
 * TensorFlow's own library and WebGPU stay in the thread that asks: what they compute, the device computes, but a graph
 * is handed to it operator by operator. Whether their packages load in a thread could not be tried.
 */
const threads = {
  cpu: oneThread(new URL('./tfjs-thread.mjs', import.meta.url), "TensorFlow.js's cpu backend"),
  wasm: oneThread(new URL('./tfjs-thread.mjs', import.meta.url), "TensorFlow.js's wasm backend"),
} as const
export type ThreadedBackend = keyof typeof threads

export function isThreaded(backend: string): backend is ThreadedBackend {
  return Object.hasOwn(threads, backend)
}

/**
 * Loads the backend in its thread.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where it does not load
 */
export async function loadThreadedBackend(backend: ThreadedBackend): Promise<RunnerFactory> {
  await threads[backend]().ask({ kind: 'load', backend })
  return async (graph) => {
    const copy = withOwnConstants(graph)
    const buffers = copy.constants.map(({ data }) => data.buffer)
    return await threadedRunner(threads[backend](), { backend, graph: copy }, buffers)
  }
}

/** Weights are copied once, and the copy handed over; a clone of the whole graph would hold them twice on its way. */
function withOwnConstants(graph: Graph) {
  const constants = graph.constants.map((constant) => ({ ...constant, data: constant.data.slice() }))
  return { ...graph, constants }
}
