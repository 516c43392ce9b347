import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { builtDashboard } from './built.ts'

const FEDSVD = fileURLToPath(new URL('../../../../apps/cli/bin/fedsvd.mjs', import.meta.url))

/** A `fedsvd demo` under way: a real coordinator and three real clients, processes of their own. */
export interface Demo extends AsyncDisposable {
  readonly url: string
  readonly runId: string
  readonly operatorToken: string
  /** Resolves with its exit code when it has come to its end. */
  readonly ended: Promise<number | null>
}

/** Resolves when the run has been opened. Disposing it stops what is still going on. */
export async function startDemo(dir: string, options: readonly string[] = []): Promise<Demo> {
  await builtDashboard()
  const child = spawn(process.execPath, [FEDSVD, 'demo', '--dir', dir, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const stop = async (): Promise<void> => {
    child.kill('SIGINT')
    await ended
  }
  try {
    const [, runId, url] = await line(child, ended, /^run (\S+) at (\S+)/)
    const operatorToken = (await readFile(path.join(dir, 'coordinator/operator.token'), 'utf8')).trim()
    return { runId: runId!, url: url!, operatorToken, ended, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The coordinator of a demo that has ended, started again on what it has stored. */
export async function reopenDemo(dir: string): Promise<Pick<Demo, 'url'> & AsyncDisposable> {
  const args = ['serve', '--port', '0', '--state-dir', path.join(dir, 'coordinator')]
  const child = spawn(process.execPath, [FEDSVD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const [, url] = await line(child, ended, /^coordinator at (\S+)/)
  return {
    url: url!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** The first line of a program's output that fits. */
async function line(child: ChildProcess, ended: Promise<unknown>, wanted: RegExp): Promise<RegExpExecArray> {
  const told = new Promise<RegExpExecArray>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (text) => {
      const found = wanted.exec(text)
      if (found !== null) resolve(found)
    })
  })
  const over = ended.then(() => Promise.reject(new Error(`it ended before it printed ${wanted}`)))
  over.catch(() => {}) // it ends later as it should
  return await Promise.race([told, over])
}
