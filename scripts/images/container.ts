import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { run } from './run-command.ts'

/** A bind of the host's folder, and what a process is given besides what its image says. */
export interface Given {
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly input?: string
}

/** A program that goes on in a container. */
export interface Running extends AsyncDisposable {
  /** All that it has printed so far. */
  readonly printed: () => string
  readonly hasEnded: () => boolean
}

interface Inspected {
  readonly OCIv1: { readonly config: { readonly Entrypoint: readonly string[] } }
}

const GRACE_MS = 30_000

/**
 * A container of an image, as its user, with the network of the host. Buildah runs it in a chroot, which needs neither
 * namespaces nor cgroups of its own, so that it works inside most containers too; process numbers are the host's.
 */
export class Container implements Disposable {
  readonly #image: string
  readonly #name: string
  readonly #entrypoint: readonly string[]

  constructor(image: string) {
    this.#image = image
    this.#name = run('buildah', ['from', '--pull-never', image]).trim()
    const { OCIv1 } = JSON.parse(run('buildah', ['inspect', this.#name])) as Inspected
    this.#entrypoint = OCIv1.config.Entrypoint
  }

  /** What `fedsvd` prints with these arguments: the entry point of the image. */
  fedsvd(args: readonly string[], given: Given = {}): string {
    return this.program([...this.#entrypoint, ...args], given)
  }

  program(command: readonly string[], given: Given = {}): string {
    const { input } = given
    return run('buildah', this.#arguments(command, given), input === undefined ? {} : { input })
  }

  /**
   * Starts `fedsvd` in a container of its own, as two in one chroot would mount their volumes over each other; it is
   * told to stop when disposed.
   */
  start(args: readonly string[], given: Given): Running {
    const own = new Container(this.#image)
    const command = own.#arguments([...this.#entrypoint, ...args], given)
    // A group of its own: the signal reaches the program, which buildah would not pass it on to.
    const child = spawn('buildah', command, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += String(chunk)))
    return {
      printed: () => printed,
      hasEnded: () => child.exitCode !== null || child.signalCode !== null,
      [Symbol.asyncDispose]: async () => {
        using _own = own
        await stop(child)
      },
    }
  }

  [Symbol.dispose](): void {
    run('buildah', ['rm', this.#name])
  }

  #arguments(command: readonly string[], { environment = {}, volumes = [] }: Given): readonly string[] {
    const variables = Object.entries(environment).flatMap(([name, value]) => ['--env', `${name}=${value}`])
    const binds = volumes.flatMap((volume) => ['--volume', volume])
    return ['run', '--isolation', 'chroot', ...variables, ...binds, this.#name, '--', ...command]
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  process.kill(-child.pid!, 'SIGTERM')
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), GRACE_MS)
  await ended
  clearTimeout(late)
}
