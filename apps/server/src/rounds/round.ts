import { aggregate } from './aggregate.ts'
import { announce } from './announce.ts'
import { assign } from './assign.ts'
import { awaitUpdates } from './await-updates.ts'
import type { RoundContext } from './context.ts'
import { refactorise } from './refactorise.ts'
import { requireObjects } from './required-objects.ts'
import { select } from './select.ts'
import { storeSiteEvaluation } from './site-evaluations.ts'
import { storeNextState } from './store-next-state.ts'

/**
 * One round, from whatever phase is stored: each step does nothing where its effect is durable already, so a
 * coordinator that was killed anywhere runs exactly this again. A round that has its result is not aggregated a second
 * time, because with the coordinator's own noise that would be another draw. Rejects with the signal's reason when the
 * run is stopped.
 */
export async function runRound(round: RoundContext): Promise<void> {
  await requireObjects(round)
  await assign(round, await select(round))
  await awaitUpdates(round)
  round.run.time.signal.throwIfAborted()
  if (round.journal.progress!.result === undefined) {
    const { mean, ...clipNorms } = await aggregate(round)
    await storeSiteEvaluation(round)
    const next = await refactorise(round, mean)
    await storeNextState(round, next, clipNorms)
  }
  await announce(round)
}
