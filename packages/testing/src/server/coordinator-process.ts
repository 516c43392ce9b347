import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CoordinatorSettings } from '@fedsvd/server'
import { builtProgram } from '../../../../apps/cli/bin/programs.mjs'
import type { Death } from './killable-store.ts'

const BUILT = builtProgram('packages/testing/src/server/coordinator-program.ts')
const PROGRAM = BUILT
  ? [fileURLToPath(BUILT)]
  : ['--import', 'tsx', fileURLToPath(new URL('./coordinator-program.ts', import.meta.url))]

/** A coordinator in a process of its own, so that it can be killed. */
export interface CoordinatorProcess extends AsyncDisposable {
  readonly url: string
  readonly operatorToken: string
  /** SIGKILL: nothing of the process runs any more when it resolves. */
  kill(): Promise<void>
  /** Resolves when the process has ended, by whatever. */
  readonly ended: Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGSTOP: it stands still where it is, its connections open, until it is woken by SIGCONT. */
  freeze(): void
  wake(): void
}

/** With a death the process kills itself at that call to its store. */
export async function startCoordinatorProcess(
  settings: CoordinatorSettings,
  death?: Death,
): Promise<CoordinatorProcess> {
  const dies = death === undefined ? [] : [JSON.stringify(death)]
  const child = spawn(process.execPath, [...PROGRAM, JSON.stringify(settings), ...dies], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal)
    return (await closed)[0]
  }
  const { url, operatorToken } = await firstLine(child, closed)
  return {
    url,
    operatorToken,
    ended: closed.then(() => {}),
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    freeze: () => void child.kill('SIGSTOP'),
    wake: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  }
}

async function firstLine(
  child: ChildProcess,
  closed: Promise<[number | null]>,
): Promise<{ url: string; operatorToken: string }> {
  const line = once(createInterface({ input: child.stdout! }), 'line') as Promise<[string]>
  const ended = closed.then(([code]) =>
    Promise.reject(new Error(`the coordinator ended with code ${code} before it listened`)),
  )
  const [text] = await Promise.race([line, ended])
  ended.catch(() => {}) // it ends later as it should
  return JSON.parse(text) as { url: string; operatorToken: string }
}
