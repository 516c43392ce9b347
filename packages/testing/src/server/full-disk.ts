import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { OpenFile } from '../../../../apps/server/src/storage/objects/spool-file.ts'
import { temporaryFolder } from './temporary-folder.ts'

const run = promisify(execFile)

/** A disk that a test fills and empties: while it is full, writing to a file fails half-way with ENOSPC. */
export interface FillableDisk {
  readonly openFile: OpenFile
  isFull: boolean
  /** How often there was no room. */
  failures: number
}

export function fillableDisk(): FillableDisk {
  const disk: FillableDisk = {
    isFull: false,
    failures: 0,
    openFile: async (...args: Parameters<OpenFile>) => {
      const handle = await open(...args)
      const fillable = async (chunks: readonly Uint8Array[], position: number) => {
        if (!disk.isFull) return await handle.writev(chunks, position)
        disk.failures += 1
        await handle.write(chunks[0]!, 0, 7, position)
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
      }
      return new Proxy(handle, {
        get: (target, name) => {
          if (name === 'writev') return fillable
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
  return disk
}

/** A file system of some kilobytes; undefined where this process may not mount one. */
export async function smallFileSystem(
  kilobytes: number,
): Promise<({ readonly path: string } & AsyncDisposable) | undefined> {
  const folder = await temporaryFolder()
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder.path])
  } catch {
    await folder[Symbol.asyncDispose]()
    return undefined
  }
  return {
    path: folder.path,
    async [Symbol.asyncDispose]() {
      await run('umount', [folder.path])
      await folder[Symbol.asyncDispose]()
    },
  }
}
