import { createHash } from 'node:crypto'
import { clientOf, STARTER_CLIENTS, type StarterClient } from './clients.ts'
import { STARTER_LABELS } from './corpus-files.ts'
import type { StarterRecord } from './load.ts'

/** One record in so many of each class is held out in public. */
export const HOLD_OUT_EVERY = 6

export interface StarterSplit {
  /** Public: for evaluation at the coordinator. */
  readonly holdOut: readonly StarterRecord[]
  /** Private to each client, in the order of STARTER_CLIENTS. */
  readonly clients: readonly { readonly name: StarterClient['name']; readonly records: readonly StarterRecord[] }[]
}

/**
 * Deals de-duplicated records into a public hold-out and the three clients; every record goes to exactly one part.
 *
 * Within each class, records are put in the order of the SHA-256 of their text, and every sixth is held out: so the
 * hold-out has the class shares of the whole, and a record's place depends on contents only, not on the order of files.
 */
export function splitStarterCorpus(records: readonly StarterRecord[]): StarterSplit {
  const ordered = byContent(records)
  const isHeldOut = (_: StarterRecord, position: number): boolean => position % HOLD_OUT_EVERY === 0
  const classes = STARTER_LABELS.map((label) => ordered.filter((record) => record.label === label))
  const holdOut = byContent(classes.flatMap((records) => records.filter(isHeldOut)))
  const held = new Set(holdOut)
  const rest = ordered.filter((record) => !held.has(record))
  const clients = STARTER_CLIENTS.map(({ name }) => ({
    name,
    records: rest.filter((record) => clientOf(record) === name),
  }))
  return { holdOut, clients }
}

function byContent(records: readonly StarterRecord[]): StarterRecord[] {
  return records
    .map((record) => ({ record, key: createHash('sha256').update(record.text, 'utf16le').digest('hex') }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ record }) => record)
}
