import { firstIssueInWords } from '@fedsvd/core/protocol'
import { canonicalJson, chain, genesisHash } from './chain.ts'
import { type LedgerEntry, type LedgerFact, type LedgerFactOf, ledgerLineSchema } from './entry.ts'
import { type Attempt, type BoundRun, hasSpent, type LedgerState } from './state.ts'
import { damaged } from './verify.ts'

/**
 * The state of a ledger after it has adopted another, or what another has grown by. The lines are verified as a ledger
 * of their own. What they spent counts here, and the smaller of both budgets holds. A run that was agreed to there goes
 * on here under its terms; what contradicts this ledger's own record of a run is spent and set aside.
 *
 * @param advance the state of a ledger after one more fact, see `replay.ts`
 * @throws FedsvdError LEDGER_DAMAGED when the lines are not a ledger, or do not go on from where it was left
 */
export function adopt(
  state: LedgerState,
  fact: LedgerFactOf<'adopted'>,
  line: number,
  advance: (state: LedgerState | undefined, fact: LedgerFact, line: number, at?: string) => LedgerState,
): LedgerState {
  const before = state.adopted.get(fact.root)
  const hashes = [...(before?.hashes ?? [])]
  let after = before?.state
  if (fact.from !== hashes.length) throw damaged(line, `lines from number ${hashes.length} on`, `from ${fact.from}`)
  for (const value of fact.entries) {
    const entry = entryOf(value, line)
    const { hash } = chain(hashes.at(-1) ?? genesisHash(fact.ledger), hashes.length, entry.at, entry.fact)
    if (entry.seq !== hashes.length || entry.hash !== hash) throw damaged(line, 'an unbroken chain of lines', 'another')
    after = advance(after, entry.fact, line, entry.at)
    hashes.push(hash)
  }
  const isWhole =
    after !== undefined && after.name === fact.ledger && hashes[0] === fact.root && hashes.at(-1) === fact.head
  if (after === undefined || !isWhole) throw damaged(line, `the ledger ${fact.ledger}`, 'the lines of another')
  const adopted = new Map(state.adopted).set(fact.root, { name: fact.ledger, hashes, state: after })
  return merge({ ...state, adopted }, after, before?.state)
}

function entryOf(value: unknown, line: number): LedgerEntry {
  const result = ledgerLineSchema.safeParse(value)
  if (result.success) return result.data
  throw damaged(line, 'lines of a ledger', firstIssueInWords(result.error, value, 'entry').got)
}

/** Puts what is new in an adopted ledger into the ledger that adopts it. */
function merge(state: LedgerState, after: LedgerState, before: LedgerState | undefined): LedgerState {
  const runs = new Map(state.runs)
  for (const [runId, run] of after.runs) if (!runs.has(runId)) runs.set(runId, run)
  const known = new Set<Attempt>(before?.attempts)
  const attempts = [...state.attempts]
  for (const [index, attempt] of after.attempts.entries()) {
    if (known.has(attempt)) continue
    const earlier = before?.attempts[index]
    // Progress of an attempt with which nothing happened here since; what happened here stays as it is.
    const place = earlier === undefined ? -1 : attempts.indexOf(earlier)
    if (place !== -1) attempts[place] = attempt
    else if (earlier === undefined)
      attempts.push(fits(attempt, attempts, runs, after) ? attempt : { ...attempt, aside: true })
  }
  return {
    ...state,
    runs,
    attempts,
    budget: smaller(state.budget, after.budget),
    rule: hasSpent(state) ? state.rule : (after.rule ?? state.rule),
    charges: [...state.charges, ...after.charges.slice(before?.charges.length ?? 0)],
    datasets: new Set([...state.datasets, ...after.datasets]),
  }
}

/** True when the attempt is the next of its round under the terms that are in force here. */
function fits(
  attempt: Attempt,
  attempts: readonly Attempt[],
  runs: ReadonlyMap<string, BoundRun>,
  { runs: theirs }: LedgerState,
): boolean {
  const { runId, round } = attempt
  const taken = attempts.filter((one) => one.aside !== true && one.runId === runId && one.round === round)
  const isNext = attempt.attempt === taken.length + 1
  return attempt.aside !== true && isNext && sameRun(runs.get(runId)!, theirs.get(runId)!)
}

function sameRun(one: BoundRun, other: BoundRun): boolean {
  const promise = ({ manifestSha256, terms, event }: BoundRun) => canonicalJson({ manifestSha256, terms, event })
  return promise(one) === promise(other)
}

/** The smaller of both in each part. */
export function smaller<B extends { readonly epsilon: number; readonly delta: number }>(one: B, other: B): B {
  return { ...one, epsilon: Math.min(one.epsilon, other.epsilon), delta: Math.min(one.delta, other.delta) }
}
