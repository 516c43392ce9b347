export type { GraphRunner, RunnerFactory, RunTensor } from './graph-runner.ts'
export { loadRuntime } from './load-runtime.ts'
export { createOnnxRunner, type OnnxRunnerOptions } from './onnx-runner.ts'
export { loadTfjsBackend } from './tfjs/backends.ts'
