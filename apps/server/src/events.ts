import { EventEmitter } from 'node:events'
import type { RevokedSession } from './identity/index.ts'
import type { RoundChange } from './storage/records/index.ts'

/** What the rooms of a coordinator tell each other without knowing one another: each event with its arguments. */
export interface CoordinatorEventMap {
  /** Something that a snapshot of the run shows has changed. */
  'run.changed': [runId: string]
  /** A change of a round has been stored, at this time in milliseconds. */
  'round.changed': [change: RoundChange, at: number]
  /** A session of an operator, or an operator, is no more. */
  'session.ended': [ended: RevokedSession]
}

/** Listeners are called at once, in the order in which they came. */
export type CoordinatorEvents = EventEmitter<CoordinatorEventMap>

export function createEvents(): CoordinatorEvents {
  return new EventEmitter<CoordinatorEventMap>()
}
