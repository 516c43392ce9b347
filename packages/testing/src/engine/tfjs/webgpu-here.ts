import { FedsvdError } from '@fedsvd/core/errors'
import { loadTfjsBackend } from '@fedsvd/engine/runtime'

/** Why TensorFlow.js on WebGPU cannot be tested on this machine; undefined where it can. */
export async function webGpuHere(): Promise<string | undefined> {
  try {
    await loadTfjsBackend('webgpu')
    return undefined
  } catch (error) {
    if (error instanceof FedsvdError) return error.message
    throw error
  }
}
