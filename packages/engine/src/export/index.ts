export type { TrainedState } from './export-folder.ts'
export { exportMerged } from './merged-checkpoint.ts'
export { exportOnnx } from './onnx-model.ts'
