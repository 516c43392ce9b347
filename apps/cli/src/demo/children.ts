import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { FedsvdError } from '@fedsvd/core/errors'

const FEDSVD = fileURLToPath(new URL('../../bin/fedsvd.mjs', import.meta.url))
const GRACE_MS = 10_000

/** One `fedsvd` command that runs as a process of its own and reports its events as lines of JSON. */
export interface Child extends AsyncDisposable {
  readonly name: string
  /** Resolves with the first event of this kind; rejects with the child's own error when it ends before. */
  waitFor(kind: string): Promise<Record<string, unknown>>
  /** Settles when the process ends: rejects when it was not asked to. */
  readonly ended: Promise<void>
}

/** The processes of a demo; disposing stops them all, the youngest first. */
export class Children implements AsyncDisposable {
  private readonly started: Child[] = []
  private fail!: (error: unknown) => void
  /** Rejects when a process ends that was not asked to, with its own error; never resolves. */
  readonly failure = new Promise<never>((_, reject) => {
    this.fail = reject
  })

  constructor() {
    this.failure.catch(() => {}) // its caller awaits it and reports the error
  }

  /**
   * `log` receives everything that the process prints. `secrets` are variables of its environment: arguments are for
   * everybody to see.
   */
  start(name: string, args: readonly string[], log: string, secrets: NodeJS.ProcessEnv = {}): Child {
    const child = startChild(name, args, log, secrets)
    this.started.push(child)
    child.ended.catch(this.fail)
    return child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.started.reverse()) await child[Symbol.asyncDispose]()
  }
}

/**
 * Starts `fedsvd ARGS --json`. Disposing sends SIGTERM, and SIGKILL where that does not help; it ends with this
 * process.
 */
function startChild(name: string, args: readonly string[], log: string, secrets: NodeJS.ProcessEnv): Child {
  const file = createWriteStream(log, { mode: 0o600 })
  const child = spawn(process.execPath, [FEDSVD, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...secrets },
  })
  const [stdout, stderr] = [child.stdout!, child.stderr!]
  stdout.pipe(file)
  stderr.pipe(file, { end: false })
  const events: Record<string, unknown>[] = []
  const waiting = new Map<string, (event: Record<string, unknown>) => void>()
  let lastError = ''
  let stopping = false
  createInterface({ input: stdout }).on('line', (line) => {
    const event = parseEvent(line)
    if (event === undefined) return
    events.push(event)
    waiting.get(String(event.event))?.(event)
  })
  createInterface({ input: stderr }).on('line', (line) => {
    lastError = line
  })
  const ended = once(child, 'close').then(([code]) => {
    if (!stopping && code !== 0) throw childFailed(name, lastError, code as number | null)
  })
  ended.catch(() => {}) // its caller awaits it and reports the error
  return {
    name,
    ended,
    waitFor: (kind) => {
      const seen = events.find(({ event }) => event === kind)
      if (seen !== undefined) return Promise.resolve(seen)
      const event = new Promise<Record<string, unknown>>((resolve) => waiting.set(kind, resolve))
      return Promise.race([event, ended.then(() => Promise.reject(childFailed(name, lastError, child.exitCode)))])
    },
    async [Symbol.asyncDispose]() {
      stopping = true
      await stop(child)
    },
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  child.kill('SIGTERM')
  await closed
  clearTimeout(timer)
}

function parseEvent(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return undefined // not every line of a child is an event
  }
}

/** The child's own catalogue error where it printed one. */
function childFailed(name: string, lastError: string, code: number | null): FedsvdError {
  const reported = parseEvent(lastError)?.error
  if (reported !== undefined) return FedsvdError.fromJSON(reported)
  return new FedsvdError('UNEXPECTED', {
    expected: `the ${name} process to go on`,
    got: `exit code ${code}${lastError === '' ? '' : ` after "${lastError}"`}`,
    remedy: 'Run the command by itself to see more',
  })
}
