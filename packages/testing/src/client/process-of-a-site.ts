import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Next to the sources, so that native packages are found; ignored by git. */
const FOLDER = fileURLToPath(new URL('../../../../apps/client/dist/', import.meta.url))

const PACKAGES = [
  '@energetic-ai/*',
  '@stdlib/*',
  'fs-native-extensions',
  'html-to-text',
  'https-proxy-agent',
  'hyparquet*',
  'onnxruntime-node',
  'postal-mime',
  'seedrandom',
  'socket.io-client',
  'tokenizers',
]

/** Bundles a program of the test kit into one file that starts in a tenth of a second. @returns its path */
export async function bundleProgram(program: 'crashing-site' | 'large-site', name: string): Promise<string> {
  const outfile = join(FOLDER, `${name}.mjs`)
  await build({
    entryPoints: [fileURLToPath(new URL(`./${program}.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    external: PACKAGES,
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
  let wrote = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    wrote += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, said, wrote }) as Ending)
  return { child, spoke: Promise.race([once(child.stdout!, 'data'), ended]), ended }
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** On the error stream. */
  readonly said: string
  readonly wrote: string
}
