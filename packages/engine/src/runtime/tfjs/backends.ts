import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Tf } from './operators.ts'

/** The functions of TensorFlow.js and the backend that is to compute them. */
export interface TfjsBackend {
  readonly tf: Tf
  readonly name: string
}

/**
 * Where TensorFlow.js computes. `node-gpu` and `node` are packages that a user adds, because their install step downloads
 * TensorFlow's library; `wasm` and `cpu` come with fedsvd and are slow.
 */
export const TFJS_BACKENDS = ['node-gpu', 'node', 'wasm', 'cpu'] as const
export type TfjsBackendName = (typeof TFJS_BACKENDS)[number]

/** Imports a package by name; rejects with code MODULE_NOT_FOUND or ERR_MODULE_NOT_FOUND where it is not installed. */
export type ImportPackage = (name: string) => Promise<unknown>

/**
 * Loads a backend.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where the package is not installed, or is and does not load
 */
export async function loadTfjsBackend(name: TfjsBackendName, load = importPackage): Promise<TfjsBackend> {
  if (name === 'node-gpu' || name === 'node') {
    const tf = await loadInstalled(`@tensorflow/tfjs-${name}`, load)
    return { tf, name: 'tensorflow' }
  }
  const tf = await import('@tensorflow/tfjs-core')
  // Otherwise the library prints advice to install the packages above.
  tf.enableProdMode()
  if (name === 'wasm') await import('@tensorflow/tfjs-backend-wasm')
  else await import('@tensorflow/tfjs-backend-cpu')
  return { tf, name }
}

/**
 * The fastest installed of TensorFlow's own backends: the GPU's, else the CPU's. Never falls back to wasm, which is many
 * times slower: whoever asks for a GPU should hear that it is missing.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE
 */
export async function loadFastestTfjsBackend(load = importPackage): Promise<TfjsBackend> {
  try {
    return await loadTfjsBackend('node-gpu', load)
  } catch (error) {
    if (!(error instanceof FedsvdError) || !isAbsent(error.cause)) throw error
  }
  return await loadTfjsBackend('node', load)
}

async function loadInstalled(name: string, load: ImportPackage): Promise<Tf> {
  try {
    const loaded = (await load(name)) as { readonly default?: Tf } & Tf
    return loaded.default ?? loaded
  } catch (cause) {
    const remedy = isAbsent(cause)
      ? `Run "npm install @tensorflow/tfjs-node-gpu" (or "@tensorflow/tfjs-node" without a GPU) in the folder that fedsvd is started in, or choose the runtime onnxruntime`
      : `Mend the installation of ${name}: "npm rebuild ${name}" shows what its install step lacks`
    const got = isAbsent(cause)
      ? 'no such package'
      : `"${cause instanceof Error ? firstLine(cause.message) : 'an error'}"`
    throw new FedsvdError('RUNTIME_UNAVAILABLE', { expected: `${name} to load`, got, remedy }, { cause })
  }
}

/** Looks beside fedsvd first, then in the folder that the process was started in. */
async function importPackage(name: string): Promise<unknown> {
  const from = [import.meta.url, pathToFileURL(path.join(process.cwd(), 'package.json'))]
  const found = from.map((place) => resolveFrom(place, name)).find((file) => file !== undefined)
  return await import(found ?? name)
}

function resolveFrom(place: string | URL, name: string): string | undefined {
  try {
    return pathToFileURL(createRequire(place).resolve(name)).href
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!
}
