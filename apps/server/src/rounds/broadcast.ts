import type { RoundContext } from './context.ts'
import { openTasks } from './progress.ts'

/** Publishes the next state, durably, and tells whoever still trains for this round that it is over. */
export async function broadcast({ run, round, book }: RoundContext): Promise<void> {
  const progress = await book.dispatch({ type: 'published', at: run.clock.now() })
  for (const { clientId } of openTasks(progress)) {
    run.gateway.roundClosed(clientId, { runId: run.manifest.runId, round })
  }
  run.published(round, (progress.publishedAt! - progress.openedAt) / 1000)
}
