import { spawnSync } from 'node:child_process'

interface Options {
  readonly cwd?: string
  readonly input?: string
  /** Shows what it prints while it runs. */
  readonly isShown?: boolean
}

/**
 * What a program prints.
 *
 * @throws Error with all that it printed where it cannot be started or its exit code is not 0
 */
export function run(command: string, args: readonly string[], options: Options = {}): string {
  const { cwd, input, isShown = false } = options
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: isShown ? ['ignore', 'inherit', 'inherit'] : 'pipe',
    ...(cwd !== undefined && { cwd }),
    ...(input !== undefined && { input }),
  })
  if (status === 0) return stdout ?? ''
  const printed = error?.message ?? `${stdout ?? ''}${stderr ?? ''}`
  throw new Error(`expected ${[command, ...args].join(' ')} to succeed, got status ${status}:\n${printed}`)
}
