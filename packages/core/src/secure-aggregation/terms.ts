import { z } from 'zod'
import { LIMITS, wholeIn } from '../limits/index.ts'
import { identifierSchema } from '../protocol/index.ts'
import type { Primitives } from './primitives.ts'
import { SITES } from './thresholds.ts'
import { textOf, transcript } from './transcript.ts'

/**
 * What one attempt at a sum is about: public, and the same for everybody in it. All of it stands in what is signed,
 * sealed and derived, so nothing of one attempt fits another.
 */
export const sumTermsSchema = z.strictObject({
  runId: identifierSchema,
  /** SHA-256 of the manifest, hex: it fixes clip norm, grid, model and schedule. */
  manifestSha256: z.string().regex(/^[0-9a-f]{64}$/),
  round: wholeIn(LIMITS.round),
  /** From 1 on. Another attempt has other keys. An update that left a site in one attempt is never part of another. */
  attempt: wholeIn(LIMITS.attempt),
  /** Integers in the sum. */
  dimension: z
    .number()
    .int()
    .min(1)
    .max(2 ** 31),
  /** Sums are modulo 2^32 or 2^64. */
  modulusBits: z.union([z.literal(32), z.literal(64)]),
  mostColluders: z.number().int().min(0).max(SITES.most),
  mostLost: z.number().int().min(0).max(SITES.most),
  /** Honest sites whose noise the shares of noise were scaled for; a roster that promises fewer is refused. */
  leastHonest: z.number().int().min(2).max(SITES.most),
})
export type SumTerms = z.infer<typeof sumTermsSchema>

/** The digest that stands for an attempt, base64url. */
export function attemptIdOf(terms: SumTerms, { sha256 }: Pick<Primitives, 'sha256'>): string {
  const { runId, manifestSha256, round, attempt, dimension, modulusBits, mostColluders, mostLost, leastHonest } = terms
  const numbers = [round, attempt, dimension, modulusBits, mostColluders, mostLost, leastHonest]
  return textOf(sha256(transcript('attempt', runId, manifestSha256, ...numbers)))
}
