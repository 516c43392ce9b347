import { addedStaleUpdates } from '../added-stale-updates.ts'
import type { RoundProgress, Task } from '../records.ts'
import { countedBefore } from '../refusals.ts'
import type { RoundStore } from '../store.ts'
import type { Fence } from './fence.ts'
import { addFact, factKey, keyOf, type Tables } from './tables.ts'

export function memoryRounds(tables: Tables, fence: Fence): RoundStore {
  const { rounds, evaluations, siteEvaluations, adapters, facts } = tables
  const publishedOf = (runId: string) =>
    [...rounds.values()].filter((round) => round.runId === runId && round.phase === 'published')
  return {
    find: async (runId, round) => rounds.get(keyOf(runId, round)),
    publishedCount: async (runId) => publishedOf(runId).length,
    async save({ before, after, spent, refunded }) {
      const { runId, round, result, publishedAt } = after
      fence(runId)
      const key = keyOf(runId, round)
      if (rounds.get(key)?.version !== before?.version) return false
      const added = addedStaleUpdates(before, after)
      const open = added.map((late) => openTask(rounds.get(keyOf(runId, late.round)), late.clientId))
      if (open.includes(undefined)) throw countedBefore()
      for (const { clientId, round: madeIn, ...update } of added) {
        const origin = rounds.get(keyOf(runId, madeIn))!
        const counted = origin.tasks.map((task): Task => {
          return task.clientId === clientId ? { clientId, state: 'late', update } : task
        })
        rounds.set(keyOf(runId, madeIn), { ...origin, tasks: counted })
      }
      rounds.set(key, after)
      for (const fact of spent) addFact(tables, fact)
      for (const clientId of refunded) {
        const first = factKey({ runId, clientId, round, attempt: 1, event: { unit: 'record' } })
        const fact = facts.get(first)
        if (fact !== undefined) facts.set(first, { ...fact, voided: true })
      }
      if (result !== undefined) {
        const published = publishedAt === undefined ? {} : { publishedAt }
        adapters.set(keyOf(runId, round + 1), { runId, number: round + 1, ...result, ...published })
      }
      return true
    },
    published: async (runId, sinceRound = 0) =>
      publishedOf(runId)
        .filter(({ round }) => round >= sinceRound)
        .sort((left, right) => left.round - right.round)
        .map(({ round, tasks, late, openedAt, publishedAt }) => {
          const evaluation = evaluations.get(keyOf(runId, round))
          const clients = tasks.filter(({ state }) => state === 'delivered').map(({ clientId }) => clientId)
          const times = { openedAt, publishedAt: publishedAt! }
          const siteEvaluation = siteEvaluations.get(keyOf(runId, round))
          const measured = { ...(evaluation && { evaluation }), ...(siteEvaluation && { siteEvaluation }) }
          return { round, clients, ...(late && { late }), ...times, ...measured }
        }),
    history: async (runId, sinceRound, limit) =>
      [...rounds.values()]
        .filter((round) => round.runId === runId && round.round >= sinceRound)
        .sort((left, right) => left.round - right.round)
        .slice(0, limit),
    async best(runId) {
      const measured = publishedOf(runId).flatMap(({ round }) => {
        const accuracy = evaluations.get(keyOf(runId, round))?.accuracy
        return accuracy === undefined ? [] : [{ round, accuracy }]
      })
      return measured.sort((left, right) => right.accuracy - left.accuracy || left.round - right.round)[0]
    },
    async setSiteEvaluation(runId, round, counts) {
      fence(runId)
      siteEvaluations.set(keyOf(runId, round), counts)
    },
    async setEvaluation(runId, round, evaluation) {
      fence(runId)
      evaluations.set(keyOf(runId, round), evaluation)
    },
  }
}

function openTask(origin: RoundProgress | undefined, clientId: string): Task | undefined {
  return origin?.tasks.find((task) => task.clientId === clientId && task.state === 'tasked')
}
