import { randomUUID } from 'node:crypto'
import type { Evaluation, PublishedRound } from '@fedsvd/server/storage/records'
import type { RunFacts } from '@fedsvd/server/trackers'
import { tinyRequest } from './tiny-model.ts'

/** A run of two sites, as a tracker is told of it; each round takes a minute and costs the sites epsilon 1 and 2. */
export function trackedRun(changes: { readonly name?: string; readonly lastSite?: string } = {}) {
  const { name = 'spam filter', lastSite = 'south' } = changes
  const [runId, north, south] = [randomUUID(), randomUUID(), randomUUID()]
  const { adapter, ...request } = tinyRequest({ name })
  const layers = [{ name: 'layer', dIn: 6, dOut: 5 }]
  const manifest = { ...request, runId, adapter: { ...adapter, layers, head: [] } } as RunFacts['manifest']
  const rounds: PublishedRound[] = []
  let [state, endedAt]: [RunFacts['state'], number | undefined] = ['running', undefined]
  let asked = 0
  return {
    runId,
    /** How often epsilon was computed. */
    asked: () => asked,
    facts: (): RunFacts => ({
      runId,
      name,
      manifest,
      state,
      createdAt: 1000,
      isNotPrivate: false,
      ...(endedAt !== undefined && { endedAt }),
      rounds: [...rounds],
      async epsilonAfter(round) {
        asked += 1
        return [
          { clientId: north, name: 'north', epsilon: round + 1 },
          { clientId: south, name: lastSite, epsilon: 2 * (round + 1) },
        ]
      },
    }),
    publish(evaluation?: Omit<Evaluation, 'records'>) {
      const round = rounds.length
      const [openedAt, publishedAt] = [1000 + 60_000 * round, 1000 + 60_000 * (round + 1)]
      const measured = evaluation && { evaluation: { ...evaluation, records: 100 } }
      rounds.push({ round, clients: [north, south], openedAt, publishedAt, ...measured })
    },
    /** What the hold-out says of a round that has been published without. */
    measure(round: number, evaluation: Omit<Evaluation, 'records'>) {
      rounds[round] = { ...rounds[round]!, evaluation: { ...evaluation, records: 100 } }
    },
    end(how: RunFacts['state']) {
      state = how
      endedAt = 1000 + 60_000 * rounds.length
    },
  }
}
