import type { RoundContext } from './context.ts'
import { openTasks } from './progress.ts'
import { earliestFor } from './staleness.ts'

/** What announcing uses of a run. */
type Announcing = 'settings' | 'time' | 'assignments' | 'messages' | 'rounds'

/**
 * Tells the clients that still train for this round that it has closed, once its state is published. Where stale
 * updates are counted, they are told only when their update would be too old to count.
 */
export async function announce({ run, round, journal }: RoundContext<Announcing>): Promise<void> {
  // Published already by `storeNextState`, unless the process died in between: then this does it.
  const progress = await journal.dispatch({ type: 'published', at: run.time.clock.now() })
  const { manifest, acceptsStaleUpdates } = run.settings
  if (acceptsStaleUpdates) run.assignments.expireBefore(earliestFor(round + 1, manifest))
  else {
    for (const { clientId } of openTasks(progress)) {
      run.messages.gateway.roundClosed(clientId, { runId: manifest.runId, round })
    }
  }
  run.rounds.published(round, (progress.publishedAt! - progress.openedAt) / 1000)
}
