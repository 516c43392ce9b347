import { z } from 'zod'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { identifierSchema } from './identifier.ts'
import { clientViewSchema } from './identity.ts'
import { budgetSchema, privacyEventSchema, privacyTermsSchema } from './manifest.ts'
import { roundStateSchema } from './operator.ts'
import { runStateSchema } from './run-state.ts'
import { storedForm } from './stored-form.ts'

/*
 * What operators read beside snapshots: facts only. Epsilon is computed from them by whoever shows it, with
 * `@fedsvd/core/accounting`.
 */

const count = wholeIn(LIMITS.count)
const measured = numberIn(LIMITS.measured)
const time = z.iso.datetime()

/** How one round went. Public: times, sizes and counts as the coordinator saw them. */
export const roundSummarySchema = z.strictObject({
  round: count,
  state: roundStateSchema,
  openedAt: time,
  /** No more updates were taken from here on. */
  closedAt: time.optional(),
  publishedAt: time.optional(),
  firstReceivedAt: time.optional(),
  lastReceivedAt: time.optional(),
  /** How often the deadline passed without a quorum. */
  extensions: count,
  selected: count,
  received: count,
  refused: count,
  /** Asked, and neither delivered nor refused when the round closed. */
  late: count,
  /** Updates of earlier rounds that this one counted. */
  rebased: count.optional(),
  bytesUp: count,
  /** Size of the published state times the clients that were asked to start from it. */
  bytesDown: count,
  /** Singular values of each layer's B A after the round, descending. Noised: post-processing of noised updates. */
  spectra: z.array(z.array(measured)).optional(),
})
export type RoundSummary = z.infer<typeof roundSummarySchema>

/** GET /v1/runs/:runId/rounds: at most `limit` rounds from `since` on, the one under way included. */
export const runRoundsSchema = z.strictObject({ rounds: z.array(roundSummarySchema) })

const accountedEventSchema = privacyEventSchema.pick({ sampleRate: true, noiseMultiplier: true, steps: true })

/** By which rule an account is held against a budget (`FilterRule` of accounting). */
export const filterRuleSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('schedule'),
    sampleRate: numberIn(LIMITS.sampleRate),
    noiseMultiplier: numberIn(LIMITS.noiseMultiplier),
  }),
  z.strictObject({ kind: z.literal('renyi'), order: numberIn(LIMITS.renyiOrder) }),
  z.strictObject({ kind: z.literal('gaussian') }),
])

/** What the coordinator has counted for one client in one run, voided facts left out. */
export const clientSpendingSchema = z.strictObject({
  clientId: identifierSchema,
  name: z.string(),
  terms: storedForm(privacyTermsSchema),
  /** The code with which it left the run. */
  withdrawal: z.string().optional(),
  /**
   * The cap that is in force, with what other runs have spent of it; `rule` is absent where none could be computed in
   * time.
   */
  cap: storedForm(
    budgetSchema.extend({ elsewhere: z.array(accountedEventSchema), rule: filterRuleSchema.optional() }),
  ).optional(),
  mechanisms: z.array(
    z.strictObject({
      sampleRate: measured,
      noiseMultiplier: measured,
      /** [round, steps], by round. */
      spent: z.array(z.tuple([count, count])),
    }),
  ),
})
export type ClientSpending = z.infer<typeof clientSpendingSchema>

/** GET /v1/runs/:runId/ledger. */
export const runLedgerSchema = z.strictObject({ clients: z.array(clientSpendingSchema) })
export type RunLedger = z.infer<typeof runLedgerSchema>

/** One client in one run: its terms and every fact about its data. */
export const participationSchema = z.strictObject({
  runId: identifierSchema,
  name: z.string(),
  state: runStateSchema,
  joinedAt: time,
  terms: storedForm(privacyTermsSchema),
  withdrawal: z.string().optional(),
  facts: z.array(
    z.strictObject({
      round: count,
      attempt: wholeIn(LIMITS.count),
      event: storedForm(privacyEventSchema),
      /** Who stated it first: the coordinator when it asked, or the client's own ledger. */
      source: z.enum(['coordinator', 'client']),
      /** The client refused, so nothing was spent. */
      voided: z.boolean(),
      recordedAt: time,
      /** When the client first reported that its own ledger holds it; absent: it never did. */
      reportedAt: time.optional(),
      /** From here on it counts for nothing: an operator has set it aside. */
      quarantinedAt: time.optional(),
    }),
  ),
  /** Rounds in which an update of the client was accepted. */
  delivered: z.array(count),
  alerts: z.array(z.strictObject({ code: z.string(), message: z.string(), at: time })),
})
export type Participation = z.infer<typeof participationSchema>

/** The most that an operator lets a client spend, per record, in all runs of the coordinator; who set it, and when. */
export const clientCapSchema = storedForm(budgetSchema.extend({ actor: z.string(), at: time }))
export type ClientCap = z.infer<typeof clientCapSchema>

/** PATCH /v1/clients/:clientId/budget, for `{ epsilon, delta }`: every cap so far, oldest first. */
export const clientCapsSchema = z.strictObject({ caps: z.array(clientCapSchema) })

/** GET /v1/clients/:clientId: operators see the part of it that belongs to their own runs. */
export const clientDetailSchema = clientViewSchema.extend({
  /** Raw 32-byte Ed25519 public key, base64url. */
  publicKey: z.string(),
  /** Oldest first; the last one is in force. */
  caps: z.array(clientCapSchema),
  /**
   * What all runs of this coordinator have spent of its data, per record, by mechanism: the same for every role, and no
   * run is named. Whoever planned by their own runs alone would think that more is left.
   */
  spent: z.array(accountedEventSchema),
  runs: z.array(participationSchema),
})
export type ClientDetail = z.infer<typeof clientDetailSchema>
