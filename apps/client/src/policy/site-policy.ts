import { FedsvdError } from '@fedsvd/core/errors'
import { TASKS } from '@fedsvd/core/lora'
import { LIMITS, numberIn, type PrivacyTerms, type RunManifest, resolveManifest, wholeIn } from '@fedsvd/core/protocol'
import { z } from 'zod'

/*
 * On which runs this site may spend, as its operator decides once. Offers are judged by their manifests, by the terms
 * that follow from these and from the ledger, and by the calendar, so no record decides about an answer.
 */

const names = z.array(z.string().min(1).max(200)).min(1).max(1000)

export const sitePolicySchema = z.strictObject({
  /** `ask`: each run waits until `fedsvd site approve` signs for it; `auto`: whatever the policy allows is joined. */
  approval: z.enum(['ask', 'auto']).default('auto'),
  /** Addresses of the coordinators that this site may join; absent: the one that it is started with. */
  coordinators: names.optional(),
  /** What runs may train for; absent: whatever the records are for. */
  tasks: z.array(z.enum(TASKS)).min(1).optional(),
  /** Names of the methods that runs may use; absent: any. */
  methods: names.optional(),
  /** The most epsilon that one run may be granted. */
  maxEpsilonPerRun: numberIn(LIMITS.epsilon).optional(),
  /** The most epsilon that the runs which are agreed to in one calendar month (UTC) may be granted together. */
  maxEpsilonPerMonth: numberIn(LIMITS.epsilon).optional(),
  /** The least noise multiplier with which this site takes part. */
  minNoiseMultiplier: numberIn(LIMITS.noiseMultiplier).optional(),
  /** The most noised steps of one run: its rounds times its steps in each, extensions included. */
  maxSteps: wholeIn(LIMITS.stepsInAll).optional(),
})
export type SitePolicy = z.output<typeof sitePolicySchema>

/** Runs that were agreed to, as far as a policy counts them. */
export interface GrantedRun {
  /** When, as an ISO instant; absent where that was not recorded. */
  readonly agreedAt?: string | undefined
  readonly terms: PrivacyTerms
}

/** Refuses a run for what it is. @throws FedsvdError POLICY_REFUSED */
export function requireRunAllowed(manifest: RunManifest, policy: Partial<SitePolicy>): void {
  const { task } = resolveManifest(manifest)
  requireOneOf('task', policy.tasks, task)
  requireOneOf('method', policy.methods, manifest.method)
  requireStepsAllowed(manifest.rounds * manifest.localSteps, policy)
}

/** Refuses a run that has, or by an extension gets, more steps than allowed. @throws FedsvdError POLICY_REFUSED */
export function requireStepsAllowed(steps: number, { maxSteps = Number.POSITIVE_INFINITY }: Partial<SitePolicy>): void {
  if (steps > maxSteps) throw refused(`at most ${maxSteps} steps in one run (maxSteps)`, `${steps} steps`)
}

/**
 * Refuses a run for the terms on which this site would take part.
 *
 * @throws FedsvdError POLICY_REFUSED
 */
export function requireTermsAllowed({ noiseMultiplier, budget }: PrivacyTerms, policy: Partial<SitePolicy>): void {
  const { maxEpsilonPerRun = Number.POSITIVE_INFINITY, minNoiseMultiplier = 0 } = policy
  if (budget.epsilon > maxEpsilonPerRun) {
    throw refused(`at most epsilon ${maxEpsilonPerRun} for one run (maxEpsilonPerRun)`, `epsilon ${budget.epsilon}`)
  }
  if (noiseMultiplier < minNoiseMultiplier) {
    const got = `${noiseMultiplier.toFixed(4)}, which the target of the run comes to`
    throw refused(`a noise multiplier of at least ${minNoiseMultiplier} (minNoiseMultiplier)`, got)
  }
}

/**
 * Refuses a run with which the grants of this calendar month would come to more than allowed. Grants are added up:
 * epsilon of all runs together is never more than that sum at the sum of their deltas, whatever was chosen on the way.
 *
 * @throws FedsvdError POLICY_REFUSED
 */
export function requireMonthAllowed(
  { budget }: PrivacyTerms,
  granted: Iterable<GrantedRun>,
  now: Date,
  { maxEpsilonPerMonth = Number.POSITIVE_INFINITY }: Partial<SitePolicy>,
): void {
  const month = monthOf(now.toISOString())
  const before = [...granted]
    .filter(({ agreedAt }) => agreedAt !== undefined && monthOf(agreedAt) === month)
    .reduce((sum, { terms }) => sum + terms.budget.epsilon, 0)
  if (before + budget.epsilon <= maxEpsilonPerMonth) return
  throw refused(
    `at most epsilon ${maxEpsilonPerMonth} for the runs of one month (maxEpsilonPerMonth)`,
    `epsilon ${budget.epsilon} beside ${before} that runs of ${month} were granted`,
  )
}

function monthOf(instant: string): string {
  return instant.slice(0, 'yyyy-mm'.length)
}

function requireOneOf(what: string, allowed: readonly string[] | undefined, got: string): void {
  if (allowed === undefined || allowed.includes(got)) return
  throw refused(`one of the ${what}s ${allowed.join(', ')} (${what}s)`, got)
}

function refused(expected: string, got: string): FedsvdError {
  return new FedsvdError('POLICY_REFUSED', {
    expected,
    got,
    remedy: 'Nothing was spent. Open another run, or ask the site to change this line of its policy.',
  })
}
