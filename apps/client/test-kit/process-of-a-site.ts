import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ENTRY = fileURLToPath(new URL('./crashing-site.ts', import.meta.url))
/** Next to the sources, so that native packages are found; ignored by git. */
const FOLDER = fileURLToPath(new URL('../dist/', import.meta.url))

/** Bundles the crashing site into one file that starts in a tenth of a second. @returns its path */
export async function bundleCrashingSite(name: string): Promise<string> {
  const outfile = join(FOLDER, `${name}.mjs`)
  await build({
    entryPoints: [ENTRY],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    external: ['fs-native-extensions', 'onnxruntime-node', 'socket.io-client', 'seedrandom'],
    logLevel: 'error',
  })
  return outfile
}

export interface RunningProcess {
  readonly child: ChildProcess
  /** Resolves when it has written its first line, or has ended without one. */
  readonly spoke: Promise<unknown>
  readonly ended: Promise<Ending>
}

/** Starts a process and says how it ended. */
export function startProcess(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): RunningProcess {
  const options = { stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } }
  const child = spawn(process.execPath, [script, ...args], options)
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, said }) as Ending)
  return { child, spoke: Promise.race([once(child.stdout!, 'data'), ended]), ended }
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly said: string
}
