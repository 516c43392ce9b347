import type { EventEmitter } from 'node:events'
import { fail } from './output.ts'

export interface Uncaught {
  readonly process: EventEmitter
  readonly json: boolean
  exit(code: number): void
}

/**
 * An uncaught exception or unhandled rejection ends the command as any other error does: in one line of the catalogue,
 * with exit code 1. What a client has paid for is on disk by then.
 */
export function handleUncaught({ process, json, exit }: Uncaught): void {
  process.on('uncaughtException', (error: unknown) => {
    fail(error, json)
    exit(1)
  })
}
