export { onnxDevice } from './onnx-device.ts'
export { openDevice } from './open-device.ts'
