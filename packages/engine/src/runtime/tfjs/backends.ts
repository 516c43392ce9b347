import { FedsvdError } from '@fedsvd/core/errors'
import { type ImportPackage, importPackage, isAbsent, loadInstalled } from './import-package.ts'
import { provideRemovedUtilities } from './node-utilities.ts'
import type { Tf } from './operators.ts'
import { openWebGpu } from './webgpu.ts'

/** The functions of TensorFlow.js and the backend that is to compute them. */
export interface TfjsBackend {
  readonly tf: Tf
  /** As TensorFlow.js names it. */
  readonly name: string
  /** As {@link TFJS_BACKENDS} does: which package brought it. */
  readonly source: TfjsBackendName
  /** Resolves once the device has done all that it was given; rejects with what it refused to do. */
  readonly settled?: () => Promise<void>
}

/**
 * Where TensorFlow.js computes. `node-gpu` and `node` are packages that a user adds, because their install step
 * downloads TensorFlow's library; `webgpu` is two packages that a user adds, of 150 MB; `wasm` and `cpu` come with
 * fedsvd and are slow.
 */
export const TFJS_BACKENDS = ['node-gpu', 'node', 'webgpu', 'wasm', 'cpu'] as const
export type TfjsBackendName = (typeof TFJS_BACKENDS)[number]

/**
 * Loads a backend.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where the package is not installed, or is and does not load
 */
export async function loadTfjsBackend(name: TfjsBackendName, load = importPackage): Promise<TfjsBackend> {
  if (name === 'node-gpu' || name === 'node') {
    provideRemovedUtilities()
    const tf = (await loadInstalled(`@tensorflow/tfjs-${name}`, load)) as Tf
    return { tf, name: 'tensorflow', source: name }
  }
  if (name === 'webgpu') return { ...(await openWebGpu(load)), name, source: name }
  const tf = await import('@tensorflow/tfjs-core')
  // Otherwise the library prints advice to install the packages above.
  tf.enableProdMode()
  if (name === 'wasm') await import('@tensorflow/tfjs-backend-wasm')
  else await import('@tensorflow/tfjs-backend-cpu')
  return { tf, name, source: name }
}

/** Makes the backend the one that TensorFlow.js uses: it is a setting of the whole library. */
export async function selectBackend({ tf, name }: TfjsBackend): Promise<void> {
  while (tf.getBackend() !== name) await tf.setBackend(name)
}

/**
 * The fastest installed of TensorFlow's own backends: the GPU's, else the CPU's. Never falls back to wasm, which is
 * many times slower: whoever asks for a GPU should hear that it is missing.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE
 */
export async function loadFastestTfjsBackend(load: ImportPackage = importPackage): Promise<TfjsBackend> {
  try {
    return await loadTfjsBackend('node-gpu', load)
  } catch (error) {
    if (!(error instanceof FedsvdError) || !isAbsent(error.cause)) throw error
  }
  return await loadTfjsBackend('node', load)
}
