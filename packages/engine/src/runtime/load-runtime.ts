import type { RuntimeSettings } from '../settings/index.ts'
import type { RunnerFactory } from './graph-runner.ts'
import { createOnnxRunner, requireProvider } from './onnx-runner.ts'
import { loadFastestTfjsBackend, loadTfjsBackend, type TfjsBackendName } from './tfjs/backends.ts'
import { createTfjsRunner } from './tfjs/tfjs-runner.ts'

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
  const backend =
    runtime === 'tfjs'
      ? await loadFastestTfjsBackend()
      : await loadTfjsBackend(runtime.slice('tfjs-'.length) as TfjsBackendName)
  return (graph) => createTfjsRunner(graph, backend)
}
