import type { RuntimeSettings } from '../settings/index.ts'
import type { RunnerFactory } from './graph-runner.ts'
import { createOnnxRunner, requireProvider } from './onnx-runner.ts'
import { loadFastestTfjsBackend, loadTfjsBackend, type TfjsBackendName } from './tfjs/backends.ts'
import { createTfjsRunner } from './tfjs/tfjs-runner.ts'
import { isThreaded, loadThreadedBackend } from './tfjs/threaded-tfjs.ts'

/**
 * Loads what the settings name, so that a runtime that is missing shows before anything is trained.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE
 */
export async function loadRuntime(settings: RuntimeSettings): Promise<RunnerFactory> {
  const { threads, runtime = 'onnxruntime', executionProvider = 'cpu' } = settings
  if (runtime === 'onnxruntime') {
    requireProvider(executionProvider)
    return (graph, name) => createOnnxRunner(graph, { name, threads, executionProvider })
  }
  const name = runtime === 'tfjs' ? undefined : (runtime.slice('tfjs-'.length) as TfjsBackendName)
  if (name !== undefined && isThreaded(name)) return await loadThreadedBackend(name)
  const backend = name === undefined ? await loadFastestTfjsBackend() : await loadTfjsBackend(name)
  return (graph) => createTfjsRunner(graph, backend)
}
