import * as protocol from '@fedsvd/core/protocol'
import { z } from 'zod'

/** A ledger is read by the rules that held when it was written. */
const budgetSchema = protocol.storedForm(protocol.budgetSchema)
const privacyEventSchema = protocol.storedForm(protocol.privacyEventSchema)
const privacyTermsSchema = protocol.storedForm(protocol.privacyTermsSchema)

/** The version of the file format, written in the first entry. */
export const LEDGER_FORMAT = 1

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const attempt = z.number().int().min(1)
const round = z.number().int().min(0)
const roundKey = { runId: z.uuid(), round, attempt }

/** The first line: which data set this is, and what it may spend in its life. */
const opened = z.strictObject({
  kind: z.literal('opened'),
  format: z.literal(LEDGER_FORMAT),
  fingerprint: sha256Hex,
  budget: budgetSchema,
})

/** A run and the terms that this data set agreed to for all of it. `event` is what each of its rounds will spend. */
const bound = z.strictObject({
  kind: z.literal('bound'),
  runId: z.uuid(),
  coordinator: z.string().min(1),
  manifestSha256: sha256Hex,
  terms: privacyTermsSchema,
  event: privacyEventSchema,
})

/**
 * The only kind that spends: one attempt at one round may now draw noise.
 *
 * `stepwise`: the attempt writes a `stepped` line after each step and before the next, so at most one step more than these
 * lines say can have begun. (Ledgers from before there were such lines do not have it.) `resumes`: the attempt goes on behind
 * that step of an earlier stepwise one, and its event is one step: the one that may have begun and was lost.
 */
const reserved = z.strictObject({
  kind: z.literal('reserved'),
  ...roundKey,
  event: privacyEventSchema,
  stepwise: z.literal(true).optional(),
  resumes: z.strictObject({ attempt, step: z.number().int().min(0) }).optional(),
})

/** A step was made and its noised result is on disk, so the next one may begin. */
const stepped = z.strictObject({
  kind: z.literal('stepped'),
  ...roundKey,
  step: z.number().int().min(1),
  savedSha256: sha256Hex,
})

/** The attempt's frame is on disk; from here on the round has these bytes and no others. */
const finished = z.strictObject({ kind: z.literal('finished'), ...roundKey, frameSha256: sha256Hex })

/** The coordinator answered for good: it has the frame, or will never take it. */
const acknowledged = z.strictObject({
  kind: z.literal('acknowledged'),
  ...roundKey,
  frameSha256: sha256Hex,
  outcome: z.enum(['accepted', 'duplicate', 'refused']),
  code: z.string().optional(),
})

/** The owner lowered the budget. It is never raised: what was promised to the people in the data stays promised. */
const budgetLowered = z.strictObject({ kind: z.literal('budget-lowered'), budget: budgetSchema })

/** A torn last line, left by a crash in the middle of a write, was cut off. */
const recovered = z.strictObject({
  kind: z.literal('recovered'),
  droppedBytes: z.number().int().positive(),
  droppedSha256: sha256Hex,
})

/** What happened, without the place in the chain. */
export const ledgerFactSchema = z.discriminatedUnion('kind', [
  opened,
  bound,
  reserved,
  stepped,
  finished,
  acknowledged,
  budgetLowered,
  recovered,
])
export type LedgerFact = z.infer<typeof ledgerFactSchema>
export type LedgerFactOf<K extends LedgerFact['kind']> = Extract<LedgerFact, { kind: K }>

/** One line of the ledger. `at` is for people; no decision is taken on it. */
export interface LedgerEntry {
  readonly seq: number
  readonly at: string
  readonly fact: LedgerFact
  /** SHA-256 over the hash of the line before and this line's content, see `chain.ts`. */
  readonly hash: string
}

/** One attempt of one round. */
export interface AttemptKey {
  readonly runId: string
  readonly round: number
  readonly attempt: number
}
