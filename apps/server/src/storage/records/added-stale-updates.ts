import type { RoundProgress, StaleUpdate } from './records.ts'

/** The stale updates that a change of a round adds; none is ever taken away. */
export function addedStaleUpdates(before: RoundProgress | undefined, after: RoundProgress): readonly StaleUpdate[] {
  const known = new Set(before?.late?.map(({ clientId, round }) => `${clientId}/${round}`))
  return (after.late ?? []).filter(({ clientId, round }) => !known.has(`${clientId}/${round}`))
}
