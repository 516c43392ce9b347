import type { RunFacts } from './run-facts.ts'

/** An experiment tracker: a service or a folder that keeps figures of many experiments, ours among them. */
export interface Tracker extends AsyncDisposable {
  /** As log lines call it. */
  readonly name: string
  /**
   * Makes the tracker hold what the run is so far. What it holds already is not sent again, also after a restart: the
   * tracker itself is asked for that once.
   *
   * @throws TrackerRefused where trying again is of no use; any other error passes by waiting
   */
  bring(facts: RunFacts, signal: AbortSignal): Promise<void>
  /** Forgets what it knows of a run, so that the tracker is asked again. */
  forget(runId: string): void
}

/** The tracker answered, and will not have it. */
export class TrackerRefused extends Error {
  override readonly name = 'TrackerRefused'
}
