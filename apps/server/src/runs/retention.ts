import { isRunOver, type KeepStates } from '@fedsvd/core/protocol'
import { bestRound } from '../evaluation/index.ts'
import type { Store } from '../storage/records/index.ts'

/**
 * The states that the rule of a run does not keep.
 *
 * @param kept numbers of its states that are there, ascending
 * @param best the number of the best one, where its sites or a hold-out have measured any
 * @param registered numbers of those that the registry names: they stay under every rule
 */
export function statesToRetire(
  rule: KeepStates,
  kept: readonly number[],
  { best, registered }: { readonly best: number | undefined; readonly registered: ReadonlySet<number> },
): readonly number[] {
  if (rule === 'all') return []
  const newest = kept.slice(-(rule === 'best' ? 1 : Number(rule.slice('last:'.length))))
  const stays = new Set([...newest, ...(rule === 'best' && best !== undefined ? [best] : []), ...registered])
  return kept.filter((number) => !stays.has(number))
}

/**
 * Retires what the rules of runs that are over do not keep; the collection of garbage removes the bytes. A run that is
 * not over keeps all of its states: sites may still train from any of them, and its best is not known yet.
 */
export async function retireStates(
  { runs, rounds, adapters, registeredModels }: Pick<Store, 'runs' | 'rounds' | 'adapters' | 'registeredModels'>,
  now: number,
): Promise<void> {
  const over = (await runs.list()).filter(({ state, keep = 'all' }) => isRunOver(state) && keep !== 'all')
  if (over.length === 0) return
  const models = await registeredModels.list()
  for (const { manifest, keep } of over) {
    const { runId } = manifest
    const best = (await bestRound({ rounds }, manifest))?.round
    const registered = new Set(models.filter((model) => model.runId === runId).map(({ number }) => number))
    const kept = await adapters.kept(runId)
    const retired = statesToRetire(keep!, kept, { best: best === undefined ? undefined : best + 1, registered })
    if (retired.length > 0) await adapters.retire(runId, retired, now)
  }
}
