import type { RoundContext, RunClients, RunMessages, RunMilestones, RunTerms, RunTime } from './context.ts'

import { openTasks } from './progress.ts'
import { earliestFor } from './staleness.ts'

/** What publishing uses of a run. */
type PublishingRun = RunTerms &
  RunTime &
  Pick<RunClients, 'expireAssignmentsBefore'> &
  Pick<RunMessages, 'gateway'> &
  Pick<RunMilestones, 'published'>

/**
 * Tells whoever still trains for this round that it is over, once its state is published. Where late updates are
 * counted it is not over for them; they hear of it when they are too late even for that.
 */
export async function publish({ run, round, journal }: RoundContext<PublishingRun>): Promise<void> {
  const progress = await journal.dispatch({ type: 'published', at: run.clock.now() }) // it is, unless a round broke off before
  if (run.acceptsStaleUpdates) run.expireAssignmentsBefore(earliestFor(round + 1, run.manifest))
  else {
    for (const { clientId } of openTasks(progress)) {
      run.gateway.roundClosed(clientId, { runId: run.manifest.runId, round })
    }
  }
  run.published(round, (progress.publishedAt! - progress.openedAt) / 1000)
}
