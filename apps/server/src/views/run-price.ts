import { type AccountedEvent, finiteEpsilon, mergeEvents, scheduledSteps, unitOfRun } from '@fedsvd/core/accounting'
import { isFedsvdError } from '@fedsvd/core/errors'
import { deltaWithoutMisses } from '@fedsvd/core/privacy'
import type { Budget, PrivacyTerms, RunManifest, RunPrice, SitePrice } from '@fedsvd/core/protocol'
import type { ClientCaps, EpsilonBounds } from '../privacy/index.ts'
import type { ClientRecord, Store } from '../storage/records/index.ts'

export interface RunPriceParts {
  readonly store: Store
  readonly bounds: EpsilonBounds
  readonly caps: ClientCaps
  readonly isConnected: (clientId: string) => boolean
}

/** What decides the price of a run. */
type Priced = Pick<RunManifest, 'rounds' | 'localSteps' | 'expectedLotSize' | 'target' | 'quorum' | 'unit'>

/** What is known of a client from the runs that it took part in. */
interface Known {
  readonly terms: PrivacyTerms
  /** Its own limit, where it once granted less than it was asked for. */
  readonly limit: Budget | undefined
  /** The most epsilon that it has granted to a run here: what it allows in all is no less. */
  readonly granted: number
}

/**
 * What a run would cost each client, before it is opened. What a client spent counts over all of its runs here, whoever
 * opened them: less would make it look as though more were left.
 */
export async function runPrice(run: Priced, parts: RunPriceParts): Promise<RunPrice> {
  const clients = (await parts.store.clients.list()).filter(({ revokedAt }) => revokedAt === undefined)
  const spending = clients.length === 0 ? [] : await parts.store.ledger.spendingOf(clients.map(({ id }) => id))
  const priced = await Promise.all(
    clients.map(async (client) => {
      const spent = mergeEvents(spending.filter(({ clientId }) => clientId === client.id))
      return await sitePrice(client, spent, run, parts)
    }),
  )
  return { rounds: run.rounds, quorum: run.quorum, clients: priced }
}

async function sitePrice(
  { id: clientId, name }: ClientRecord,
  spent: readonly AccountedEvent[],
  run: Priced,
  parts: RunPriceParts,
): Promise<SitePrice> {
  const { target, expectedLotSize, rounds } = run
  const bounds = parts.bounds.of(clientId)
  const known = await knownOf(clientId, run, parts.store)
  const delta = Math.min(target.delta, 1 / (known?.terms.declaredRecords ?? 1), known?.limit?.delta ?? 1)
  const { epsilon } = await bounds.epsilonUpperBound(spent, delta)
  const site = { clientId, name, epsilonSpent: finiteEpsilon(epsilon), delta }
  const here = parts.isConnected(clientId) ? 'ready' : 'away'
  if (known === undefined) {
    const reason = `it has taken part in no run whose unit is a ${unitOfRun(run)}, so how many it has is not known`
    return { ...site, standing: 'undeclared', reason: here === 'away' ? `not connected; ${reason}` : reason }
  }
  const { declaredRecords } = known.terms
  const declared = { ...site, declaredRecords }
  const out = (reason: string): SitePrice => ({ ...declared, standing: 'out', reason })
  if (expectedLotSize > declaredRecords) {
    return out(
      `it declares ${declaredRecords} ${unitOfRun(run)}s, fewer than the expectedLotSize of ${expectedLotSize}`,
    )
  }
  const budget = { epsilon: Math.min(target.epsilon, known.limit?.epsilon ?? target.epsilon), delta }
  const sampleRate = expectedLotSize / declaredRecords
  const calibrated = await noiseFor({ budget, sampleRate, run, bounds })
  if (typeof calibrated === 'string') return out(calibrated)
  if (calibrated === undefined) return { ...declared, standing: here, reason: 'its price was not computed in time' }
  const next = { sampleRate, noiseMultiplier: calibrated }
  const ofRun = await bounds.epsilonUpperBound([{ ...next, steps: rounds * run.localSteps }], delta)
  const afforded = await affordable({ clientId, terms: { ...known.terms, ...next, budget }, known, spent, run, parts })
  const price = { ...declared, noiseMultiplier: calibrated, epsilonOfRun: finiteEpsilon(ofRun.epsilon) }
  const roundsAffordable = afforded.rounds
  if (roundsAffordable === 0) return { ...price, standing: 'out', roundsAffordable, reason: afforded.reason }
  const together = await bounds.epsilonUpperBound([...spent, { ...next, steps: rounds * run.localSteps }], delta)
  const reason = roundsAffordable < rounds ? afforded.reason : noteOf(known, together.epsilon)
  return { ...price, standing: here, roundsAffordable, ...(reason !== undefined && { reason }) }
}

/** What the coordinator cannot tell, and a site will: whether what it has spent leaves room for the run. */
function noteOf({ granted }: Known, together: number): string | undefined {
  if (together <= granted) return undefined
  return `it never granted more than epsilon ${granted} here, and this run after the earlier ones needs more: unless its own limit is larger, it adds noise or stays out`
}

/** By the newest run of the same unit, and by every run in which it granted less than it was asked for. */
async function knownOf(clientId: string, run: Priced, store: Store): Promise<Known | undefined> {
  const participants = (await store.participants.ofClient(clientId)).toSorted((a, b) => b.joinedAt - a.joinedAt)
  let terms: PrivacyTerms | undefined
  let limit: Budget | undefined
  let granted = 0
  for (const one of participants) {
    const manifest = (await store.runs.find(one.runId))?.manifest
    if (manifest === undefined || unitOfRun(manifest) !== unitOfRun(run)) continue
    terms ??= one.terms
    granted = Math.max(granted, one.terms.budget.epsilon)
    if (one.terms.budget.epsilon < manifest.target.epsilon) limit ??= one.terms.budget
  }
  return terms && { terms, limit, granted }
}

/** The noise with which a site would join; why it cannot; or undefined where there was no answer in time. */
async function noiseFor({
  budget,
  sampleRate,
  run,
  bounds,
}: {
  readonly budget: Budget
  readonly sampleRate: number
  readonly run: Priced
  readonly bounds: EpsilonBounds
}): Promise<number | string | undefined> {
  const delta = deltaWithoutMisses(budget.delta, run.rounds)
  const question = { by: 'pld', budget: { ...budget, delta }, sampleRate, steps: scheduledSteps(run) } as const
  try {
    return await bounds.noiseFor(question)
  } catch (error) {
    if (!isFedsvdError(error)) throw error
    return `expected ${error.detail.expected}, got ${error.detail.got}`
  }
}

/** How many rounds stay within the client's cap, and within its own limit where that is known; and what ends them. */
async function affordable({
  clientId,
  terms,
  known,
  spent,
  run: { rounds, localSteps },
  parts: { caps, bounds, store },
}: {
  readonly clientId: string
  readonly terms: PrivacyTerms
  readonly known: Known
  readonly spent: readonly AccountedEvent[]
  readonly run: Priced
  readonly parts: RunPriceParts
}): Promise<{ readonly rounds: number; readonly reason: string }> {
  const byCap = await mostRounds(rounds, (count) => caps.allows(clientId, terms, count * localSteps))
  const { limit } = known
  if (limit === undefined || spent.length === 0)
    return { rounds: byCap, reason: 'its cap at this coordinator is used up' }
  const first = (await store.ledger.firstTerms([clientId])).get(clientId) ?? terms
  const { sampleRate, noiseMultiplier } = terms
  const own = bounds.of(clientId)
  const rule = await own.ruleFor({ spent, first: { ...first, granted: first.budget }, budget: limit })
  const byLimit = await mostRounds(byCap, async (count) => {
    const events = [...spent, { sampleRate, noiseMultiplier, steps: count * localSteps }]
    return rule !== undefined && (await own.fits(events, limit, rule))
  })
  return byLimit < byCap
    ? {
        rounds: byLimit,
        reason: `its own limit is epsilon ${limit.epsilon}; with less left it adds noise or stays out`,
      }
    : { rounds: byCap, reason: 'its cap at this coordinator is used up' }
}

/** As `mostAffordable`, for answers that take time. */
async function mostRounds(most: number, affords: (count: number) => Promise<boolean>): Promise<number> {
  if (most === 0 || (await affords(most))) return most
  let [low, high] = [0, most]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await affords(middle)) low = middle
    else high = middle
  }
  return low
}
