import { appendFileSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ClientEvent } from '../events.ts'
import { ifThere, makeFolderDurably } from '../platform/index.ts'

/** An event as the log has it: when it was told, by the clock of this machine, and what. */
export type LoggedEvent = { readonly at: string } & KeptEvent

/** Events that are kept: none with the size of a lot, or with another count that follows from the records. */
export type KeptEvent =
  | Exclude<ClientEvent, { event: (typeof PRIVATE)[number] | 'step' }>
  | Omit<Extract<ClientEvent, { event: 'step' }>, 'records' | 'leftOut'>

const PRIVATE = ['part', 'data-loaded', 'records-left-out', 'declared', 'lot-failed'] as const

/** A file that is longer is put aside, in place of the one that was put aside before. */
const LONGEST_BYTES = 2 ** 20

function logPath(stateDir: string, budget: string): string {
  return join(stateDir, 'log', `${budget}.jsonl`)
}

/**
 * Keeps what the client of a budget tells its site in its state folder, for whoever looks at it from another process: a
 * megabyte or two, which may be removed at any time. A log that cannot be written stops nothing.
 */
export function eventLog(stateDir: string, budget: string, now: () => Date): (event: ClientEvent) => void {
  const path = logPath(stateDir, budget)
  let length: number | undefined
  return (event) => {
    const kept = keptOf(event)
    if (kept === undefined) return
    const line = Buffer.from(`${JSON.stringify({ at: now().toISOString(), ...kept })}\n`)
    try {
      if (length === undefined) makeFolderDurably(join(stateDir, 'log'))
      length ??= statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (length > LONGEST_BYTES) {
        renameSync(path, `${path}.1`)
        length = 0
      }
      appendFileSync(path, line, { mode: 0o600 })
      length += line.length
    } catch {
      length = undefined // a full disk, or a folder that was removed: the next event looks anew
    }
  }
}

function keptOf(event: ClientEvent): KeptEvent | undefined {
  if (event.event === 'step') {
    const { records: _, leftOut: __, ...step } = event
    return step
  }
  return isPrivate(event) ? undefined : event
}

function isPrivate(
  event: Exclude<ClientEvent, { event: 'step' }>,
): event is Extract<ClientEvent, { event: (typeof PRIVATE)[number] }> {
  return PRIVATE.some((kind) => kind === event.event)
}

/** The events that are kept of a client, oldest first; a line that was cut off by a crash is passed over. */
export function readEventLog(stateDir: string, budget: string): readonly LoggedEvent[] {
  const path = logPath(stateDir, budget)
  return [`${path}.1`, path].flatMap((file) => {
    const text = ifThere(() => readFileSync(file, 'utf8')) ?? ''
    return text.split('\n').flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as LoggedEvent]
      } catch {
        return []
      }
    })
  })
}
