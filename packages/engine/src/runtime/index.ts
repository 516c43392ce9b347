export type { GraphRunner, RunTensor } from './graph-runner.ts'
export { createOnnxRunner, type OnnxRunnerOptions } from './onnx-runner.ts'
