import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Step } from './blocks.ts'
import { patternOf } from './expected-output.ts'

/** Printed behind each command with its exit code; no page has it. */
const END = '\u001e'

export interface TerminalOptions {
  readonly folder: string
  readonly environment: NodeJS.ProcessEnv
}

/** A shell in which the commands of a page run one after the other, as its reader types them. */
export class Terminal implements AsyncDisposable {
  readonly #shell: ChildProcess
  #output = ''
  #changed: () => void = () => {}

  constructor({ folder, environment }: TerminalOptions) {
    // In a process group of its own, so that what still runs at the end is ended with it.
    this.#shell = spawn('bash', ['--noprofile', '--norc'], { cwd: folder, env: environment, detached: true })
    for (const stream of [this.#shell.stdout!, this.#shell.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        this.#changed()
      })
    }
    this.#shell.on('exit', () => this.#changed())
  }

  /**
   * Runs a command to its end, or, where it `stays`, until it has printed what the page shows.
   *
   * @returns undefined where it did what the page says, else what it did
   */
  async run({ command, expected }: Step, stays: boolean): Promise<string | undefined> {
    this.#output = ''
    this.#shell.stdin!.write(`{ ${command}\n} 2>&1; printf '${END}%s${END}' $?\n`)
    const ended = new RegExp(`^([^${END}]*)${END}(\\d+)${END}`)
    const shown = patternOf(expected, false)
    while (this.#shell.exitCode === null) {
      const [, output, code] = ended.exec(this.#output) ?? []
      if (output !== undefined) {
        if (stays) return `ended with exit code ${code}, having printed\n${output}`
        if (code !== '0') return `exit code ${code}, having printed\n${output}`
        return patternOf(expected, true).test(output) ? undefined : `printed\n${output}`
      }
      if (stays && shown.test(this.#output)) return
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    return 'the shell ended'
  }

  /** What the command under way has printed. */
  get output(): string {
    return this.#output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#shell.exitCode !== null || this.#shell.signalCode !== null) return
    const exited = once(this.#shell, 'exit')
    process.kill(-this.#shell.pid!, 'SIGTERM')
    const late = setTimeout(() => process.kill(-this.#shell.pid!, 'SIGKILL'), 10_000)
    await exited
    clearTimeout(late)
  }
}
