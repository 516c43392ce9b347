import { acceptsStaleUpdates, type RunManifest, resolveManifest } from '@fedsvd/core/protocol'

/** The earliest round whose updates `round` counts. */
export function earliestFor(round: number, manifest: Pick<RunManifest, 'maxStaleness'>): number {
  return Math.max(0, round - resolveManifest(manifest).maxStaleness)
}

/** The earliest round whose updates are still taken while `round` is under way. */
export function earliestCounted(round: number, manifest: RunManifest): number {
  return acceptsStaleUpdates(manifest) ? earliestFor(round, manifest) : round
}
