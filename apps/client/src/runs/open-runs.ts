import { eventOfRound, type SiteUnit, unitOfRun } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { PrivacyTerms, RunManifest } from '@fedsvd/core/protocol'
import { eventOfEvaluation } from '@fedsvd/core/site-evaluation'
import type { LeftOut } from '@fedsvd/engine/datasets'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { EncodedRecords, EncodedStores } from '../data/index.ts'
import { type BoundRun, canonicalJson, type PrivacyLedger, ruleOf, sha256Hex, spentBefore } from '../ledger/index.ts'
import {
  type Declaration,
  type RunLimits,
  requireDeclaredKind,
  requireMonthAllowed,
  requireRunAllowed,
  requireTermsAllowed,
  requireWithinLimits,
  type SitePolicy,
} from '../policy/index.ts'
import { type QuietTime, type ReadyTurns, type ReleaseClock, slotLength } from '../release/index.ts'
import { termsFor } from './terms.ts'

/** A run that this node takes part in, as long as the process lives. */
export interface OpenRun {
  readonly manifest: RunManifest
  readonly bound: BoundRun
  /** The site's records as the run's model takes them: being made since the run was agreed to. */
  records(): Promise<EncodedRecords>
  /** When the records counted as ready, in milliseconds of the clock of releases, however late that was noticed. */
  readyAt(): number
  /** The run's engine, made when it is first asked for. */
  engine(): Promise<PrivateEngine>
  /**
   * The length of a round's slot in milliseconds: measured before a record is made ready, or when one round could not.
   */
  slotLength(clock: ReleaseClock): Promise<number>
  close(): Promise<void>
}

export interface AgreementParts {
  readonly coordinator: string
  readonly declaration: Declaration
  readonly limits: RunLimits
  readonly policy: SitePolicy
  readonly ledger: PrivacyLedger
  readonly stores: EncodedStores
  /** Where releases are on a grid of time. */
  readonly releaseClock?: ReleaseClock | undefined
  /** While an engine is timed, no round computes. */
  readonly quiet: QuietTime
  /** In which the records of runs are made ready. */
  readonly readyTurns: ReadyTurns
  /** Aborted when the node is stopped. */
  readonly signal: AbortSignal
  engineFor(manifest: RunManifest): Promise<PrivateEngine>
  /** Runs a made-up record through the model of a run. @throws FedsvdError CHECKPOINT_INVALID, RUNTIME_UNAVAILABLE */
  proveModel?(manifest: RunManifest): Promise<void>
  /** Told how many records a run cannot take, for the site's own eyes. */
  onLeftOut(runId: string, leftOut: LeftOut): void
}

/**
 * Agrees to a run on terms of this node's own making, durably and once: offered again, it gets the same terms. What it
 * is judged by is public: the manifest, what the site declared, its limits and its ledger. No record is looked at
 * before the answer; the records are made ready behind it.
 *
 * @throws FedsvdError CONFIG_INVALID, LABEL_UNKNOWN, POLICY_REFUSED, DELTA_TOO_LARGE, BUDGET_TOO_SMALL, TERMS_CHANGED
 *   (another manifest under a known identifier), and what the run's model and its tokenizer are refused with
 */
export async function agreeTo(manifest: RunManifest, parts: AgreementParts, known?: OpenRun): Promise<OpenRun> {
  const { ledger, stores, coordinator, signal, policy } = parts
  const bindable = (terms: PrivacyTerms) => bindableRun(manifest, coordinator, terms)
  const agreed = ledger.state.runs.get(manifest.runId)?.terms
  if (known !== undefined && agreed !== undefined) {
    ledger.bind(bindable(agreed))
    return known
  }
  requireKindOfRun(manifest, parts)
  // Approved terms are made with no pause behind the decision: a budget that is renewed later grants no more than that.
  const decided = agreed ?? (policy.approval === 'ask' ? newTerms(manifest, parts) : undefined)
  const prepared = await stores.prepare(manifest)
  if (agreed === undefined) await parts.proveModel?.(manifest) // before anything can be paid for with it
  const bound = bindable(decided ?? newTerms(manifest, parts)) // others by what is spent by now
  requireTermsAllowed(bound.terms, policy)
  ledger.bind(bound)
  const ended = new AbortController()
  const engine = lazily(() => parts.engineFor(manifest))
  const { releaseClock, quiet, readyTurns } = parts
  const before = readyTurns.ended()
  const slot = lazily(async (clock: ReleaseClock) => {
    const made = await engine.get()
    await before // records that are tokenised beside it would slow the engine down while it is timed
    return await quiet.during(() => slotLength(manifest, bound.terms, made, clock))
  })
  let readyAt = Number.NEGATIVE_INFINITY
  const records = lazily(async () => {
    const over = AbortSignal.any([signal, ended.signal])
    const open = async (): Promise<EncodedRecords> => {
      const encoded = await prepared.open(over)
      parts.onLeftOut(manifest.runId, encoded.leftOut)
      return encoded
    }
    if (releaseClock === undefined) return await open()
    const timed = () => slot.get(releaseClock).catch(() => {})
    const clock = quiet.clockOf(releaseClock)
    const onReady = (at: number): void => {
      readyAt = releaseClock.now() - (clock.now() - at)
    }
    return await readyTurns.take({ clock, signal: over, first: timed, make: open, onReady })
  })
  records.get().catch(() => {}) // where it fails, the round that asks for the records tries again, and is told
  return {
    manifest,
    bound,
    records: records.get,
    readyAt: () => readyAt,
    engine: engine.get,
    slotLength: slot.get,
    close: async () => {
      ended.abort(new Error('the run has ended'))
      const opened = await records.made()?.catch(() => undefined)
      opened?.close()
      const made = await engine.made()?.catch(() => undefined)
      await made?.[Symbol.asyncDispose]()
    },
  }
}

/**
 * Judges a run that this site has not agreed to, without looking at a model or a record.
 *
 * @returns the run on the terms that the site would state now
 * @throws FedsvdError what {@link agreeTo} refuses a run with
 */
export function judgeRun(manifest: RunManifest, parts: AgreementParts): BoundRun {
  requireKindOfRun(manifest, parts)
  const bound = bindableRun(manifest, parts.coordinator, newTerms(manifest, parts))
  requireTermsAllowed(bound.terms, parts.policy)
  return bound
}

function bindableRun(manifest: RunManifest, coordinator: string, terms: PrivacyTerms): BoundRun {
  return {
    runId: manifest.runId,
    coordinator,
    manifestSha256: sha256Hex(canonicalJson(manifest)),
    terms,
    event: eventOfRound(manifest, terms),
    ...evaluationOf(manifest),
  }
}

/** Refuses a run for what its manifest says. */
function requireKindOfRun(manifest: RunManifest, { declaration, limits, policy }: AgreementParts): void {
  requireWithinLimits(manifest, limits)
  requireRunAllowed(manifest, policy)
  requireUnitOf(declaration, unitOfRun(manifest))
  requireDeclaredKind(manifest, declaration)
}

/** What the ledger has to know of a run that evaluates at the sites. */
function evaluationOf({ siteEvaluation, ...run }: RunManifest): Pick<BoundRun, 'evaluation'> {
  if (siteEvaluation === undefined) return {}
  return { evaluation: { share: siteEvaluation.share, event: eventOfEvaluation({ ...run, siteEvaluation }) } }
}

/** A site counts persons exactly where it names a column for them, and takes part in runs of its unit only. */
function requireUnitOf({ unit }: Declaration, asked: SiteUnit): void {
  if (unit === asked) return
  throw new FedsvdError('SITE_DECLINED', {
    expected: `a run whose unit of privacy is the ${unit}, as this site ${unit === 'person' ? 'names' : 'does not name'} a unit column`,
    got: `one whose unit is the ${asked}`,
    remedy:
      unit === 'person' ? 'Ask for a run with persons as units' : 'Start the client with --unit-column to take part',
  })
}

/** Made when it is first asked for; where that fails, the next who asks tries again. */
function lazily<T, A extends readonly unknown[] = []>(make: (...args: A) => Promise<T>) {
  let made: Promise<T> | undefined
  return {
    get: (...args: A): Promise<T> => {
      if (made === undefined) {
        const attempt = make(...args)
        made = attempt
        attempt.catch(() => {
          if (made === attempt) made = undefined
        })
      }
      return made
    },
    made: () => made,
  }
}

/** The terms with the most noise of those that each class of units which the run would train on asks for. */
function newTerms(manifest: RunManifest, { ledger, declaration, policy }: AgreementParts): PrivacyTerms {
  const { state, fingerprint: dataset } = ledger
  const { budget } = state
  const rule = ruleOf(state)
  const event = state.attempts[0]?.event ?? state.charges[0]?.event
  const share = manifest.siteEvaluation?.share ?? 0
  const classes = event === undefined ? [[]] : spentBefore(state, { event, dataset, share, side: 'trained' })
  const each = classes.map((spent) => termsFor(manifest, { declaredRecords: declaration.records, budget, spent, rule }))
  const terms = each.reduce((most, one) => (one.noiseMultiplier > most.noiseMultiplier ? one : most))
  requireMonthAllowed(terms, state.runs.values(), new Date(), policy)
  return terms
}
