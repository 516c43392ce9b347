import type { LateUpdate, RoundProgress } from './records.ts'

/** The late updates that a change of a round adds; none is ever taken away. */
export function addedLate(before: RoundProgress | undefined, after: RoundProgress): readonly LateUpdate[] {
  const known = new Set(before?.late?.map(({ clientId, round }) => `${clientId}/${round}`))
  return (after.late ?? []).filter(({ clientId, round }) => !known.has(`${clientId}/${round}`))
}
