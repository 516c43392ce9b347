import type { RunFacts } from '../run-facts.ts'
import { TrackerRefused } from '../tracker.ts'

/** What is stored of a run that is over, under names with `/` between folders. */
export interface Artifacts {
  /** Of the state that they were made of. */
  readonly sha256: string
  readonly files: () => Promise<ReadonlyMap<string, Uint8Array>>
}

export type ArtifactsOf = (facts: RunFacts) => Promise<Artifacts>

/**
 * Where the artifacts of a run lie, relative to the root of the server's own store.
 *
 * @throws TrackerRefused where they are not kept by the server itself
 */
export function artifactRoot(uri: string): string {
  const [, root] = /^mlflow-artifacts:\/(?!\/)(.+)$/.exec(uri) ?? []
  const parts = (root ?? '').split('/').filter((part) => part !== '')
  if (parts.length > 0 && !parts.includes('..') && !parts.includes('.')) return parts.join('/')
  throw new TrackerRefused(
    `artifacts of its run lie at ${uri.slice(0, 100)}, and are stored through a server with --serve-artifacts only`,
  )
}
