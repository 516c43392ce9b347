import { realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { FedsvdError, isFedsvdError, systemFault } from '@fedsvd/core/errors'
import { type Extension, extensionApi } from './extension.ts'

const loaded = new Map<string, Promise<void>>()

/**
 * Loads extensions in their order; one that this thread has loaded before is not loaded again.
 *
 * @param paths modules whose default export is an {@link Extension}
 * @throws FedsvdError CONFIG_INVALID naming the extension that cannot be loaded, or what it registers wrongly
 */
export async function loadExtensions(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const file = realPath(path)
    const loading = loaded.get(file) ?? load(path, file)
    loaded.set(file, loading)
    await loading
  }
}

async function load(path: string, file: string): Promise<void> {
  try {
    const { default: extension } = (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
    if (typeof extension !== 'function') throw unusable(path, `a default export of type ${typeof extension}`)
    await (extension as Extension)(extensionApi)
  } catch (error) {
    throw isFedsvdError(error) ? error : unusable(path, systemFault(error)?.detail.got ?? messageOf(error), error)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw unusable(path, systemFault(error)?.detail.got ?? 'no file that can be read', error)
  }
}

function unusable(path: string, got: string, cause?: unknown): FedsvdError {
  return new FedsvdError(
    'CONFIG_INVALID',
    {
      expected: `${path} to be a module of JavaScript whose default export is a function that registers what it adds`,
      got: got.split('\n', 1)[0]!,
      remedy: 'Correct --extension (FEDSVD_EXTENSIONS), or the extension: see docs/how-to/extend.md.',
    },
    { cause },
  )
}
