import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { FedsvdError } from '@fedsvd/core/errors'

/** Imports a package by name; rejects with code MODULE_NOT_FOUND or ERR_MODULE_NOT_FOUND where it is not installed. */
export type ImportPackage = (name: string) => Promise<unknown>

/** What to install where a package is missing. */
const REMEDIES: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs-node-gpu': `Run "npm install @tensorflow/tfjs-node-gpu" (or "@tensorflow/tfjs-node" without a GPU) in the folder that fedsvd is started in, or compute on another device`,
  '@tensorflow/tfjs-node': `Run "npm install @tensorflow/tfjs-node-gpu" (or "@tensorflow/tfjs-node" without a GPU) in the folder that fedsvd is started in, or compute on another device`,
}
const WEBGPU = `Run "npm install webgpu@0.6.2 @tensorflow/tfjs-backend-webgpu@4.22.0" in the folder that fedsvd is started in, or compute on another device`

/**
 * The exports of a package that the user adds.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where it is not installed, or is and does not load
 */
export async function loadInstalled(name: string, load: ImportPackage): Promise<unknown> {
  try {
    const loaded = (await load(name)) as { readonly default?: unknown }
    return loaded.default ?? loaded
  } catch (cause) {
    const remedy = isAbsent(cause)
      ? (REMEDIES[name] ?? WEBGPU)
      : `Mend the installation of ${name}: "npm rebuild ${name}" shows what its install step lacks`
    const got = isAbsent(cause)
      ? 'no such package'
      : `"${cause instanceof Error ? firstLine(cause.message) : 'an error'}"`
    throw new FedsvdError('RUNTIME_UNAVAILABLE', { expected: `${name} to load`, got, remedy }, { cause })
  }
}

/** Looks beside fedsvd first, then in the folder that the process was started in. */
export async function importPackage(name: string): Promise<unknown> {
  const from = [import.meta.url, pathToFileURL(path.join(process.cwd(), 'package.json'))]
  const found = from.map((place) => resolveFrom(place, name)).find((file) => file !== undefined)
  if (found === undefined) throw Object.assign(new Error(`no package ${name}`), { code: 'ERR_MODULE_NOT_FOUND' })
  return await import(found)
}

function resolveFrom(place: string | URL, name: string): string | undefined {
  try {
    return pathToFileURL(createRequire(place).resolve(name)).href
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** True for the error of a package that is not installed. */
export function isAbsent(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]!
}
