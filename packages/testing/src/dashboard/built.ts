import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { FedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockFile } from '@fedsvd/engine/files/locks'

const ROOT = fileURLToPath(new URL('../../../../apps/dashboard', import.meta.url))
const WORKSPACE = fileURLToPath(new URL('../../../..', import.meta.url))
const SOURCES = ['src', 'index.html', 'vite.config.ts', 'precompress.ts', '../../packages/core/src']
const VITE = path.join(WORKSPACE, 'node_modules', 'vite', 'bin', 'vite.js')

/** The folder of the built dashboard, which is built first where a source is newer. */
export async function builtDashboard(): Promise<string> {
  using _turn = await myTurn()
  const built = await newest(path.join(ROOT, 'dist', 'index.html'))
  const changed = await Promise.all(SOURCES.map((source) => newest(path.join(ROOT, source))))
  if (built <= Math.max(...changed)) {
    // A process of its own: a test runner's NODE_ENV would make it a build for development.
    const env = { ...process.env, NODE_ENV: 'production' }
    await promisify(execFile)(process.execPath, [VITE, 'build', '--logLevel', 'warn'], { cwd: ROOT, env })
  }
  return path.join(ROOT, 'dist')
}

/** Test files run beside each other: one of them builds, the others wait. */
async function myTurn(): Promise<FileLock> {
  const taken = (got: string) =>
    new FedsvdError('FOLDER_IN_USE', { expected: 'the build to be free', got, remedy: 'Wait for it.' })
  for (;;) {
    try {
      return lockFile(path.join(WORKSPACE, 'node_modules', '.fedsvd-dashboard-build.lock'), taken)
    } catch (error) {
      if (!(error instanceof FedsvdError)) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** When a file, or the newest file of a folder, was changed; 0 for none. */
async function newest(place: string): Promise<number> {
  const found = await stat(place).catch(() => undefined)
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.mtimeMs
  const names = await readdir(place, { recursive: true })
  const times = await Promise.all(names.map(async (name) => (await stat(path.join(place, name))).mtimeMs))
  return Math.max(0, ...times)
}
