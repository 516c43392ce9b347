import { aggregate } from './aggregate.ts'
import { assign } from './assign.ts'
import { collect } from './collect.ts'
import type { RoundContext } from './context.ts'
import { persist } from './persist.ts'
import { publish } from './publish.ts'
import { refactorise } from './refactorise.ts'
import { requireObjects } from './required-objects.ts'
import { select } from './select.ts'

/**
 * One round, from whatever phase is stored: each step does nothing where its effect is durable already, so a
 * coordinator that was killed anywhere runs exactly this again. A round that has its result is not aggregated a second
 * time, because with the coordinator's own noise that would be another draw. Rejects with the signal's reason when the
 * run is stopped.
 */
export async function runRound(round: RoundContext): Promise<void> {
  await requireObjects(round)
  await assign(round, await select(round))
  await collect(round)
  round.run.time.signal.throwIfAborted()
  if (round.journal.progress!.result === undefined) {
    const { mean, ...clipNorms } = await aggregate(round)
    const next = await refactorise(round, mean)
    await persist(round, next, clipNorms)
  }
  await publish(round)
}
