import { firstOfEach } from '../first-terms.ts'
import { merged, withoutRun } from '../merged-spending.ts'
import type { Participant, PrivacyFact } from '../records.ts'
import { chargedBefore, spentMeanwhile } from '../refusals.ts'
import type { LedgerStore, RoundSpending, RunSpending, Spending } from '../store.ts'
import { appendAudit } from './audit.ts'
import type { Fence } from './fence.ts'
import { addFact, factKey, keyOf, levelOf, type PrivacyLevel, type Tables } from './tables.ts'

export function memoryLedger(tables: Tables, fence: Fence): LedgerStore {
  const { facts, rounds, ahead, participants } = tables
  /** What participants have spent in rounds that have not begun, under their terms. */
  const aheadOf = (isMeant: (participant: Participant) => boolean): RunSpending[] =>
    [...participants.values()].filter(isMeant).flatMap(({ runId, clientId, terms }) => {
      const steps = ahead.get(keyOf(runId, clientId)) ?? 0
      const { sampleRate, noiseMultiplier } = terms
      return steps === 0 ? [] : [{ runId, clientId, sampleRate, noiseMultiplier, steps }]
    })
  const factsOf = (level: PrivacyLevel) => [...facts.values()].filter(({ event }) => levelOf(event.unit) === level)
  const known = (runId: string, clientId: string, sinceRound: number): readonly PrivacyFact[] =>
    factsOf('site')
      .filter((fact) => fact.runId === runId && fact.clientId === clientId && fact.round >= sinceRound)
      .sort((left, right) => left.round - right.round || left.attempt - right.attempt)
  const delivered = (runId: string, clientId: string, sinceRound: number): readonly number[] =>
    [...rounds.values()]
      .filter(({ runId: owner, round }) => owner === runId && round >= sinceRound)
      .filter(({ tasks }) => tasks.some((task) => task.clientId === clientId && task.update !== undefined))
      .map(({ round }) => round)
      .sort((left, right) => left - right)
  return {
    facts: async (runId, clientId, sinceRound) => known(runId, clientId, sinceRound),
    async adopt(adopted) {
      for (const fact of adopted) addFact(tables, fact)
    },
    async report({ runId, clientId, sinceRound, held, at }) {
      const before = {
        facts: known(runId, clientId, sinceRound),
        delivered: delivered(runId, clientId, sinceRound),
        stepsAhead: ahead.get(keyOf(runId, clientId)) ?? 0,
      }
      for (const { round, attempt } of held) {
        const key = factKey({ runId, clientId, round, attempt, event: { unit: 'record' } })
        const fact = facts.get(key)
        if (fact !== undefined && fact.reportedAt === undefined) facts.set(key, { ...fact, reportedAt: at })
      }
      return before
    },
    async setAhead(runId, clientId, steps) {
      ahead.set(keyOf(runId, clientId), steps)
    },
    async quarantine({ runId, clientId, at }, audit) {
      const key = keyOf(runId, clientId)
      const meant = known(runId, clientId, 0).filter(
        ({ source, quarantinedAt }) => source === 'client' && quarantinedAt === undefined,
      )
      for (const fact of meant) facts.set(factKey(fact), { ...fact, quarantinedAt: at })
      const hasAhead = (ahead.get(key) ?? 0) > 0
      ahead.delete(key)
      if (meant.length > 0 || hasAhead) appendAudit(tables, audit)
      return meant.length
    },
    spending: async (runId) =>
      merged([
        ...totals(factsOf('site').filter((fact) => fact.runId === runId)),
        ...aheadOf((participant) => participant.runId === runId).map(withoutRun),
      ]),
    spendingOf: async (clientIds) => {
      const own = factsOf('site').filter(({ clientId }) => clientIds.includes(clientId))
      const runIds = [...new Set(own.map(({ runId }) => runId))]
      const stored = runIds.flatMap((runId) =>
        totals(own.filter((fact) => fact.runId === runId)).map((spending) => ({ ...spending, runId })),
      )
      return merged([...stored, ...aheadOf(({ clientId }) => clientIds.includes(clientId))])
    },
    async firstTerms(clientIds) {
      const own = factsOf('site').filter(({ clientId, voided }) => !voided && clientIds.includes(clientId))
      const terms = ({ runId, clientId }: PrivacyFact) => participants.get(keyOf(runId, clientId))?.terms
      return firstOfEach(own, terms)
    },
    clientLevelSpending: async () => totals(factsOf('client')),
    lastDraw: async (runId, round) =>
      factsOf('client')
        .filter((fact) => fact.runId === runId && fact.round === round)
        .reduce((last, { attempt }) => Math.max(last, attempt), 0),
    async charge(charged, seen) {
      for (const { runId } of charged) fence(runId)
      for (const [clientId, steps] of seen ?? []) {
        const spent = totals(factsOf('client').filter((fact) => fact.clientId === clientId))
        if (spent.reduce((sum, each) => sum + each.steps, 0) !== steps) throw spentMeanwhile()
      }
      if (charged.some((fact) => facts.has(factKey(fact)))) throw chargedBefore()
      for (const fact of charged) facts.set(factKey(fact), fact)
    },
    async spendingByRound(runId) {
      const sums = new Map<string, RoundSpending>()
      for (const fact of factsOf('site')) {
        const { clientId, round, event } = fact
        if (fact.runId !== runId || !counts(fact)) continue
        const { sampleRate, noiseMultiplier, steps } = event
        const key = keyOf(clientId, round, sampleRate, noiseMultiplier)
        const before = sums.get(key)?.steps ?? 0
        sums.set(key, { clientId, round, sampleRate, noiseMultiplier, steps: steps + before })
      }
      const begun = [...rounds.values()].filter((round) => round.runId === runId).length
      const theirs = aheadOf((participant) => participant.runId === runId)
      const next = theirs.map((spending): RoundSpending => ({ ...withoutRun(spending), round: begun }))
      return [...sums.values(), ...next].sort((left, right) => left.round - right.round)
    },
    delivered: async (runId, clientId, sinceRound) => delivered(runId, clientId, sinceRound),
  }
}

function totals(facts: readonly PrivacyFact[]): Spending[] {
  const sums = new Map<string, Spending>()
  for (const fact of facts) {
    const { clientId, event } = fact
    if (!counts(fact)) continue
    const { sampleRate, noiseMultiplier, steps } = event
    const key = keyOf(clientId, sampleRate, noiseMultiplier)
    sums.set(key, { clientId, sampleRate, noiseMultiplier, steps: steps + (sums.get(key)?.steps ?? 0) })
  }
  return [...sums.values()]
}

const counts = ({ voided, quarantinedAt }: PrivacyFact): boolean => !voided && quarantinedAt === undefined
