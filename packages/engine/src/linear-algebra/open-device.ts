import type { LinearAlgebraDevice } from '@fedsvd/core/linalg'
import { loadFastestTfjsBackend, loadTfjsBackend, type TfjsBackendName } from '../runtime/tfjs/backends.ts'
import type { SvdDevice } from '../settings/index.ts'
import { onnxDevice } from './onnx-device.ts'
import { tfjsDevice } from './tfjs-device.ts'

/**
 * Opens the device that a setting names; undefined for `javascript`, which needs none.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE
 */
export async function openDevice(
  name: Exclude<SvdDevice, 'auto'>,
  { threads }: { readonly threads: number },
): Promise<LinearAlgebraDevice | undefined> {
  if (name === 'javascript') return undefined
  if (name === 'cpu' || name === 'cuda' || name === 'webgpu') return await onnxDevice(name, threads)
  if (name === 'tfjs') return tfjsDevice(await loadFastestTfjsBackend())
  return tfjsDevice(await loadTfjsBackend(name.slice('tfjs-'.length) as TfjsBackendName))
}
