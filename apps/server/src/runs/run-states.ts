import type { RunRecord } from '../storage/records/index.ts'

/** States of a run in which rounds go on. */
export const OPEN = ['waiting', 'running'] as const

/** States that a run can be stopped in. */
export const NOT_ENDED = [...OPEN, 'paused'] as const

export function isOpen({ state }: Pick<RunRecord, 'state'>): boolean {
  return OPEN.some((open) => open === state)
}
