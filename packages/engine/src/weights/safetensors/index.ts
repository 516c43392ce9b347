export { FLOAT_DTYPES } from './dtypes.ts'
export { openSafetensors, type SafetensorsFile, writeSafetensors } from './file.ts'
export type { SafetensorsEntry } from './header.ts'
export { decodeSafetensors, encodeSafetensors, isFloat } from './safetensors.ts'
