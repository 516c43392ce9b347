import * as protocol from '@fedsvd/core/protocol'
import { z } from 'zod'
import { ownerStatementSchema, publicKeySchema } from '../owner/statement.ts'

/** A ledger is read by the rules that held when it was written. */
const budgetSchema = protocol.storedForm(protocol.budgetSchema)
const privacyEventSchema = protocol.storedForm(protocol.privacyEventSchema)
const privacyTermsSchema = protocol.storedForm(protocol.privacyTermsSchema)

/**
 * The version of the file format, written in the first entry. Format 1 had one ledger for each data set, named by its
 * fingerprint; format 2 has one for each budget, and its entries name the data set that they are about.
 */
export const LEDGER_FORMAT = 2

/** The budget of everything that a site trains on, unless the data owner has signed that a data set stands apart. */
export const SITE_BUDGET = 'site'

/** Never 64 hexadecimal digits, which name a ledger of format 1. */
export const budgetNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, 'a name that is not of small letters, digits and hyphens, such as trial-2027')

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const attempt = z.number().int().min(1)
const round = z.number().int().min(0)
const roundKey = { runId: z.uuid(), round, attempt }
/** Fingerprint of the data set that an entry is about; absent in a ledger of format 1, which is about one only. */
const dataset = sha256Hex.optional()

/**
 * The first line: which budget this is, and what it may spend in its life. `salt` is random and stays here: a
 * coordinator is told the hash of the last line, and without the salt it could test guesses of the data set's
 * fingerprint by it.
 */
const opened = z.discriminatedUnion('format', [
  z.strictObject({ kind: z.literal('opened'), format: z.literal(1), fingerprint: sha256Hex, budget: budgetSchema }),
  z.strictObject({
    kind: z.literal('opened'),
    format: z.literal(LEDGER_FORMAT),
    name: budgetNameSchema,
    salt: sha256Hex,
    budget: budgetSchema,
  }),
])

/** A run and the terms that this site agreed to for all of it. `event` is what each of its rounds will spend. */
const bound = z.strictObject({
  kind: z.literal('bound'),
  dataset,
  runId: z.uuid(),
  coordinator: z.string().min(1),
  manifestSha256: sha256Hex,
  terms: privacyTermsSchema,
  event: privacyEventSchema,
  /**
   * Where the run evaluates at the sites: the share of units that are set aside, and what one evaluation spends. Its
   * rounds spend nothing of those units, and its evaluations nothing of the others.
   */
  evaluation: z.strictObject({ share: z.number().gt(0).lt(1), event: privacyEventSchema }).optional(),
})

/**
 * What a round spends: one attempt at it may now draw noise. It may have fewer steps than the run's rounds, where the
 * budget pays for no more.
 *
 * `stepwise`: the attempt writes a `stepped` line after each step and before the next, so at most one step more than
 * these lines say can have begun. (Ledgers from before there were such lines do not have it.) `resumes`: the attempt
 * goes on behind that step of an earlier stepwise one, and its event is one step: the one that may have begun and was
 * lost.
 */
const reserved = z.strictObject({
  kind: z.literal('reserved'),
  ...roundKey,
  dataset,
  event: privacyEventSchema,
  stepwise: z.literal(true).optional(),
  resumes: z.strictObject({ attempt, step: z.number().int().min(0) }).optional(),
})

/** What a site may pay for outside the rounds of a run. No coordinator is told: the site's own budget pays for it. */
const chargePurposeSchema = z.enum(['count', 'evaluation', 'statistics'])
export type ChargePurpose = z.infer<typeof chargePurposeSchema>

/**
 * What is spent outside the steps of rounds, before its noise is drawn; `runId` where it is for one run. With `round`
 * it is the evaluation of that round: of units that the run does not train on, and of no others.
 */
const charged = z.strictObject({
  kind: z.literal('charged'),
  purpose: chargePurposeSchema,
  dataset: sha256Hex,
  runId: z.uuid().optional(),
  round: round.optional(),
  event: privacyEventSchema,
})

/**
 * An interrupted attempt resumes after `step`, and nothing more is paid for: its round ends with `steps` steps, one
 * fewer than before, in place of the one that may have begun and was lost.
 */
const shortened = z.strictObject({
  kind: z.literal('shortened'),
  ...roundKey,
  step: z.number().int().min(0),
  steps: z.number().int().min(1),
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

/**
 * Says nothing. A round that was ended from outside has as many lines as one that was not, since a coordinator hears
 * how long a ledger is: so it does not hear how far the training was.
 */
const levelled = z.strictObject({ kind: z.literal('levelled'), ...roundKey })

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

/**
 * By which rule events are held against the budget from here on (`FilterRule` of core): once, and before the first
 * release. A ledger from before there were rules gets it with its next reservation.
 */
const ruleFixed = z.strictObject({
  kind: z.literal('rule-fixed'),
  rule: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('schedule'),
      sampleRate: z.number().gt(0).max(1),
      noiseMultiplier: z.number().positive(),
    }),
    z.strictObject({ kind: z.literal('renyi'), order: z.number().gt(1) }),
    z.strictObject({ kind: z.literal('gaussian') }),
  ]),
})

/** A torn last line, left by a crash in the middle of a write, was cut off. */
const recovered = z.strictObject({
  kind: z.literal('recovered'),
  droppedBytes: z.number().int().positive(),
  droppedSha256: sha256Hex,
})

/**
 * Another ledger counts in this one from here on: its lines, as they stand there, from number `from` on. `root` is the
 * hash of its first line, which tells it from every other ledger, and `head` that of the last line here. Its budget
 * holds here too where it is the smaller one. A ledger that grew afterwards is adopted again, from where it was left.
 */
const adopted = z.strictObject({
  kind: z.literal('adopted'),
  ledger: z.union([sha256Hex, budgetNameSchema]),
  root: sha256Hex,
  from: z.number().int().min(0),
  head: sha256Hex,
  entries: z.array(z.unknown()).min(1),
})

/**
 * The last line of an adopted ledger: nothing is spent by it any more. Older releases do not know it, and refuse the
 * file. `root` is the hash of the first line of the ledger that adopted it.
 */
const moved = z.strictObject({ kind: z.literal('moved'), to: budgetNameSchema, root: sha256Hex })

/** The key of the data owner, taken at its first use; statements by another key are refused from here on. */
const owner = z.strictObject({ kind: z.literal('owner'), publicKey: publicKeySchema })

/** Something that the data owner signed. */
const stated = z.strictObject({ kind: z.literal('stated'), statement: ownerStatementSchema })

/**
 * A new period of the budget begins, by the statement of the data owner with this signature: what is spent from here on
 * counts in it, and what was spent before does not.
 */
const renewed = z.strictObject({ kind: z.literal('renewed'), statement: z.string().regex(/^[A-Za-z0-9_-]{86}$/) })

/** What happened, without the place in the chain. */
export const ledgerFactSchema = z.discriminatedUnion('kind', [
  opened,
  adopted,
  moved,
  owner,
  stated,
  renewed,
  bound,
  reserved,
  shortened,
  charged,
  stepped,
  finished,
  levelled,
  acknowledged,
  budgetLowered,
  ruleFixed,
  recovered,
])
export type LedgerFact = z.infer<typeof ledgerFactSchema>
export type LedgerFactOf<K extends LedgerFact['kind']> = Extract<LedgerFact, { kind: K }>

/** A line as it is read. */
export const ledgerLineSchema = z.strictObject({
  seq: z.number().int().min(0),
  at: z.iso.datetime(),
  fact: ledgerFactSchema,
  hash: sha256Hex,
})

/**
 * One line of the ledger. `at` is for people, and for the months of a site's policy; nothing that is claimed rests on
 * it.
 */
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
