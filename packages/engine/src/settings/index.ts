export { ENVIRONMENT, FROM_FILES } from './coordinator-environment.ts'

/**
 * What runs the graphs. `tfjs` takes TensorFlow.js with TensorFlow's own library, on the GPU if that package is
 * installed; the others name one of its backends.
 */
export const RUNTIMES = [
  'onnxruntime',
  'tfjs',
  'tfjs-node-gpu',
  'tfjs-node',
  'tfjs-webgpu',
  'tfjs-wasm',
  'tfjs-cpu',
] as const
export type Runtime = (typeof RUNTIMES)[number]

/** Devices that onnxruntime may compute on; which of them are there depends on the platform. */
export const EXECUTION_PROVIDERS = ['cpu', 'cuda', 'webgpu', 'coreml', 'dml'] as const
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number]

/**
 * Where a coordinator computes the products of a re-factorisation. `auto` goes by size; `javascript` is the exact route
 * without any library; `cpu`, `cuda` and `webgpu` are onnxruntime's; the others are TensorFlow.js, as in
 * {@link RUNTIMES}.
 */
export const SVD_DEVICES = [
  'auto',
  'javascript',
  'cpu',
  'cuda',
  'webgpu',
  'tfjs',
  'tfjs-node-gpu',
  'tfjs-node',
  'tfjs-webgpu',
  'tfjs-wasm',
  'tfjs-cpu',
] as const
export type SvdDevice = (typeof SVD_DEVICES)[number]

/** Forms in which a trained model leaves: the adapter alone, a whole checkpoint, a graph with the weights inside. */
export const EXPORT_FORMATS = ['peft', 'merged', 'onnx'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** How graphs are run at a site: its own affair, no term of a run. Nothing is loaded by naming it. */
export interface RuntimeSettings {
  /** Threads inside one operator; one per core that this process may have. Only onnxruntime's CPU kernels heed it. */
  readonly threads: number
  /** Default: onnxruntime. */
  readonly runtime?: Runtime
  /** Device of onnxruntime; default: cpu. */
  readonly executionProvider?: ExecutionProvider
}
