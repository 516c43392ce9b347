import type { EventEmitter } from 'node:events'
import { fail } from './output.ts'

export interface OutputErrors {
  readonly stdout: EventEmitter
  readonly stderr: EventEmitter
  readonly json: boolean
  exit(code: number): void
}

/**
 * What becomes of a command whose output cannot be written. A reader that has enough, as `head` does, ends it, and that
 * is no failure. Anything else, such as a disk without space for a log, is told once on stderr and decides the exit
 * code, but ends nothing: a client goes on with a round that it has paid for.
 */
export function handleOutputErrors({ stdout, stderr, json, exit }: OutputErrors): void {
  let isTold = false
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') exit(0)
    else if (!isTold) {
      isTold = true
      fail(error, json)
    }
  })
  stderr.on('error', () => {}) // there is nowhere left to tell it
}
