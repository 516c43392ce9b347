import type { RunManifest } from '@fedsvd/core/protocol'

const USUAL_MAX_STALENESS = 20

/** True where an update that comes when its round has closed is counted in a later one. */
export function acceptsStaleUpdates({ mode, lateUpdates }: Pick<RunManifest, 'mode' | 'lateUpdates'>): boolean {
  return mode?.name === 'buffered' || lateUpdates === 'rebase'
}

/** The earliest round whose updates `round` counts. */
export function earliestFor(round: number, { maxStaleness = USUAL_MAX_STALENESS }: Pick<RunManifest, 'maxStaleness'>) {
  return Math.max(0, round - maxStaleness)
}

/** The earliest round whose updates are still taken while `round` is under way. */
export function earliestCounted(round: number, manifest: RunManifest): number {
  return acceptsStaleUpdates(manifest) ? earliestFor(round, manifest) : round
}
