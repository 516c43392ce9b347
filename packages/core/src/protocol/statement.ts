import { z } from 'zod'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { identifierSchema } from './identifier.ts'
import { budgetSchema, privacyEventSchema } from './manifest.ts'
import { storedForm } from './stored-form.ts'

const count = wholeIn(LIMITS.count)
const epsilon = numberIn(LIMITS.epsilonSpent)
/** A statement is about what was spent, under whatever rules held then. */
const { sampleRate, noiseMultiplier, clipNorm } = storedForm(privacyEventSchema).shape
const storedBudget = storedForm(budgetSchema)
const { delta } = storedBudget.shape
const base64url = z.string().regex(/^[A-Za-z0-9_-]+$/)

/** What a client has spent in one run, with every constant that the figures were computed from. */
export const privacyStatementSchema = z.strictObject({
  kind: z.literal('fedsvd-privacy-statement'),
  version: z.literal(1),
  madeAt: z.iso.datetime(),
  run: z.strictObject({
    runId: identifierSchema,
    name: z.string(),
    method: z.string(),
    state: z.string(),
    rounds: count,
    roundsDone: count,
  }),
  client: z.strictObject({ clientId: identifierSchema, name: z.string(), publicKey: base64url }),
  guarantee: z.strictObject({
    unit: z.enum(['record', 'person']),
    /** Records of one person that can be in use at most; where the unit is a person. */
    maxRecordsPerUnit: wholeIn(LIMITS.count).optional(),
    relation: z.literal('add-or-remove-one'),
    sampling: z.literal('poisson'),
    /** Upper bounds, of the events below, at `delta` less `deltaOfMissedSlots`. */
    epsilonPld: epsilon,
    epsilonRdp: epsilon,
    delta,
    /**
     * The part of `delta` for the times at which updates arrived: what it adds up to that a release misses its slot.
     * Statements of earlier releases have none.
     */
    deltaOfMissedSlots: z.number().min(0).max(1).optional(),
    /** What the client said that it would not exceed in this run. */
    budget: storedBudget,
    adversary: z.string(),
  }),
  /** Those of one mechanism added up; `rounds` is how many rounds they stand for. */
  events: z.array(
    z.strictObject({
      mechanism: z.literal('poisson-subsampled-gaussian'),
      sampleRate,
      noiseMultiplier,
      steps: count,
      clipNorm,
      rounds: count,
    }),
  ),
  /** What the coordinator's own noise promises besides, in all of its runs together; absent where the run has none. */
  clientLevel: z.strictObject({ draws: count, epsilonPld: epsilon, delta, adversary: z.string() }).optional(),
  code: z.strictObject({ name: z.literal('fedsvd'), version: z.string() }),
})
export type PrivacyStatement = z.infer<typeof privacyStatementSchema>

/** GET /v1/runs/:runId/statements/:clientId: a statement, and the coordinator's Ed25519 signature of its text. */
export const signedStatementSchema = z.strictObject({
  statement: privacyStatementSchema,
  /** Raw 32-byte Ed25519 public key, base64url; GET /v1/statement-key has it too. */
  publicKey: base64url.length(43),
  signature: base64url.length(86),
})
export type SignedStatement = z.infer<typeof signedStatementSchema>

/** GET /v1/statement-key. */
export const statementKeySchema = signedStatementSchema.pick({ publicKey: true })

/**
 * What is signed: a line that says what this is, and the statement as canonical JSON (RFC 8785: keys in order, no white
 * space, numbers as ECMAScript writes them).
 */
export function statementText(statement: PrivacyStatement): string {
  return `fedsvd-privacy-statement-v1\n${canonicalJson(statement)}`
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const pairs = Object.entries(value)
    .filter(([, content]) => content !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, content]) => `${JSON.stringify(key)}:${canonicalJson(content)}`)
  return `{${pairs.join(',')}}`
}
