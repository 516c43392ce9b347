export { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
