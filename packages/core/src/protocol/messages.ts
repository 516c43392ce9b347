import { z } from 'zod'
import { ERROR_CATALOGUE, type ErrorCode } from '../errors.ts'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { identifierSchema } from './identifier.ts'
import { clientNameSchema } from './identity.ts'
import { privacyEventSchema, privacyTermsSchema, runManifestSchema, sha256Hex } from './manifest.ts'
import { FINAL_RUN_STATES } from './run-state.ts'

/*
 * Socket.IO carries control, HTTP carries tensors. Every message that crosses the trust line is defined here, once;
 * both sides parse what they receive with these schemas.
 */

/** More do not fit into one message. */
const MOST_RESERVATIONS = 20_000
/**
 * A longer ledger report goes in parts: proxies that refuse bodies above 1 MB are common, and sixteen messages of this
 * length, all that a coordinator takes at a time, make less even when long polling sends them as one body.
 */
export const REPORT_PART_CHARACTERS = 32 * 1024

const round = wholeIn(LIMITS.round)
const base64url = z
  .string()
  .regex(/^[A-Za-z0-9_-]+$/)
  .max(400)

export const wireErrorSchema = z.strictObject({
  code: z.enum(Object.keys(ERROR_CATALOGUE) as [string, ...string[]], { error: 'no code of the catalogue' }),
  expected: z.string().max(2000),
  got: z.string().max(2000),
  remedy: z.string().max(2000),
})
const refusal = z.strictObject({ accepted: z.literal(false), error: wireErrorSchema })

// --- HTTP: who a client is -------------------------------------------------------------------------------------------

/** POST /v1/enrol: a single-use token buys an identity, bound to an Ed25519 public key (raw 32 bytes, base64url). */
export const enrolRequestSchema = z.strictObject({
  protocolVersion: wholeIn(LIMITS.protocolVersion),
  token: z.string().min(1).max(200),
  name: clientNameSchema,
  publicKey: base64url,
})
export const enrolReplySchema = z.strictObject({ clientId: identifierSchema })

/** Entries of a ledger: one of 4 MB has 15,000, and a site writes about `localSteps` + 3 for each round. */
const ledgerLength = wholeIn(LIMITS.ledgerLength)

/**
 * How far a client's ledger has come: the number of its entries and the hash of the last. The hashes are chained behind
 * a secret salt in the ledger's first entry, so nobody can test a guess of its content, the data set's fingerprint
 * included.
 */
export const ledgerHeadSchema = z.strictObject({ length: ledgerLength, head: sha256Hex })
export type LedgerHead = z.infer<typeof ledgerHeadSchema>

/**
 * POST /v1/challenge: a nonce, valid once and for a minute, to be signed as `fedsvd-session-v1:<clientId>:<nonce>`.
 * `ledgerLength`: the coordinator remembers the client's ledger at this length, and asks for the hash of that entry.
 */
export const challengeRequestSchema = z.strictObject({ clientId: identifierSchema })
export const challengeReplySchema = z.strictObject({ nonce: base64url, ledgerLength: ledgerLength.optional() })

/** Socket.IO handshake `auth` on the namespace `/client`. */
export const clientHandshakeSchema = z.strictObject({
  protocolVersion: wholeIn(LIMITS.protocolVersion),
  clientId: identifierSchema,
  nonce: base64url,
  signature: base64url,
  /** The release of fedsvd that the client runs: shown to operators, and nothing depends on it. */
  version: z
    .string()
    .regex(/^[\w.+-]{1,40}$/)
    .optional(),
  /**
   * Made at random by each process, so that a second host with the same state is told from the first that comes back.
   */
  instance: identifierSchema.optional(),
  /** The ledger as it is now; `confirmed` is its entry number `ledgerLength` of the challenge, from 1. */
  ledger: ledgerHeadSchema.extend({ confirmed: ledgerHeadSchema.optional() }).optional(),
})

/** The text that a client signs to prove that it holds the enrolled key. */
export function sessionChallengeText(clientId: string, nonce: string): string {
  return `fedsvd-session-v1:${clientId}:${nonce}`
}

// --- Socket.IO, coordinator to client --------------------------------------------------------------------------------

/** `session`: a bearer token for GET /v1/blobs/:sha256, valid while this connection lives. */
export const sessionSchema = z.strictObject({ sessionToken: base64url })

/** `offer`: a run is open to this client. The reply states the client's terms, or why it stays out. */
export const offerSchema = z.strictObject({ manifest: runManifestSchema })
export const offerReplySchema = z.discriminatedUnion('accepted', [
  z.strictObject({ accepted: z.literal(true), terms: privacyTermsSchema }),
  refusal,
])

/** `invite`: train one round. The reply comes before training starts; a refusal spends nothing. */
export const invitationSchema = z.strictObject({
  runId: identifierSchema,
  round,
  basis: wholeIn(LIMITS.basis),
  /** The published state to start from: a `state` frame. */
  state: z.strictObject({ sha256: sha256Hex, bytes: wholeIn(LIMITS.bytes) }),
  /** Bearer token for PUT /v1/runs/:runId/rounds/:round/update, for this client and round only. */
  uploadToken: base64url,
  deadline: z.iso.datetime(),
  /**
   * How many rounds the run has by now; there where operators extended it beyond the manifest, and the round is one of
   * those.
   */
  rounds: wholeIn(LIMITS.rounds).optional(),
  /** The clip norm of this round; there where the manifest has adaptiveClipping, and only there. */
  clipNorm: numberIn(LIMITS.adaptedClipNorm).optional(),
})
export const invitationReplySchema = z.discriminatedUnion('accepted', [
  z.strictObject({ accepted: z.literal(true) }),
  refusal,
])

/** `round-closed`: the round takes no more updates; a client that still trains for it stops. */
export const roundClosedSchema = z.strictObject({ runId: identifierSchema, round })

/**
 * `run-paused`: the run stands still. A client that trains for it holds, and goes on where it was when it is invited to
 * the same round again: that costs nothing new. Sent when the run is paused, and again on each connection.
 */
export const runPausedSchema = z.strictObject({ runId: identifierSchema })

/**
 * `run-ended`: nothing more will be asked in this run. With `code`, of this client alone: its terms were refused, and
 * the run goes on for others.
 */
export const runEndedSchema = z.strictObject({
  runId: identifierSchema,
  state: z.enum(FINAL_RUN_STATES),
  reason: z.string().max(2000).optional(),
  code: wireErrorSchema.shape.code.optional(),
})

// --- Socket.IO, client to coordinator --------------------------------------------------------------------------------

/**
 * `ledger-report`: what the client's own ledger holds for a run, as facts. Sent after each connection and each
 * reservation, before the update leaves. The coordinator adopts what it does not know yet and raises an alert where it
 * knows more.
 */
export const ledgerReportSchema = z.strictObject({
  runId: identifierSchema,
  /**
   * The report is complete from this round on (absent: from the first), so that a long run need not repeat its past.
   */
  since: round.optional(),
  reservations: z
    .array(z.strictObject({ round, attempt: wholeIn(LIMITS.attempt), event: privacyEventSchema }))
    .max(MOST_RESERVATIONS),
  /** The ledger when the report was made. */
  ledger: ledgerHeadSchema.optional(),
})
export const ledgerReplySchema = z.strictObject({ agrees: z.boolean(), error: wireErrorSchema.optional() })

/**
 * `ledger-report-part`: a piece of the JSON text of a ledger report, in order, one at a time. The last one is answered
 * as the report is. A connection has one report in parts at a time: part 0 under another `id` begins anew.
 */
export const ledgerReportPartSchema = z
  .strictObject({
    id: identifierSchema,
    index: wholeIn(LIMITS.reportPart),
    of: wholeIn(LIMITS.reportParts),
    text: z.string().min(1).max(REPORT_PART_CHARACTERS),
  })
  .refine(({ index, of }) => index < of, { path: ['index'], error: 'no part of so many' })
export const ledgerPartReplySchema = z.union([z.strictObject({ received: z.literal(true) }), ledgerReplySchema])

/**
 * Why a round failed at a client, as far as that may leave a site: faults of the published state or of the machine,
 * which no record decides. Anything else is `SITE_DECLINED`, and its reason stays with the site.
 */
export const ROUND_FAILURES = [
  'SITE_DECLINED',
  'BLOB_NOT_FOUND',
  'FRAME_MALFORMED',
  'FRAME_TOO_LARGE',
  'FRAME_CHECKSUM',
  'SHAPE_MISMATCH',
  'NOT_FINITE',
  'POLICY_REFUSED',
  'CHECKPOINT_INVALID',
  'HUB_UNAVAILABLE',
  'RUNTIME_UNAVAILABLE',
  'STORAGE_UNAVAILABLE',
] as const satisfies readonly ErrorCode[]

/**
 * `round-failed`: no update comes from this client for this round unless it is invited again. Not acknowledged: a
 * client that is not connected sends it when it is, and a coordinator that does not know the message drops it.
 */
export const roundFailedSchema = z.strictObject({ runId: identifierSchema, round, code: z.enum(ROUND_FAILURES) })

// --- HTTP: tensors ---------------------------------------------------------------------------------------------------

/**
 * PUT /v1/runs/:runId/rounds/:round/update, body: an `update` frame. Idempotent: the same bytes again are a duplicate.
 */
export const uploadReplySchema = z.strictObject({ status: z.enum(['accepted', 'duplicate']), sha256: sha256Hex })

export type EnrolRequest = z.infer<typeof enrolRequestSchema>
export type EnrolReply = z.infer<typeof enrolReplySchema>
export type ClientHandshake = z.infer<typeof clientHandshakeSchema>
export type Offer = z.infer<typeof offerSchema>
export type OfferReply = z.infer<typeof offerReplySchema>
export type Invitation = z.infer<typeof invitationSchema>
export type InvitationReply = z.infer<typeof invitationReplySchema>
export type RoundClosed = z.infer<typeof roundClosedSchema>
export type RunPaused = z.infer<typeof runPausedSchema>
export type RunEnded = z.infer<typeof runEndedSchema>
export type LedgerReport = z.infer<typeof ledgerReportSchema>
export type LedgerReply = z.infer<typeof ledgerReplySchema>
export type LedgerReportPart = z.infer<typeof ledgerReportPartSchema>
export type LedgerPartReply = z.infer<typeof ledgerPartReplySchema>
export type RoundFailed = z.infer<typeof roundFailedSchema>
export type UploadReply = z.infer<typeof uploadReplySchema>
export type WireError = z.infer<typeof wireErrorSchema>

/** Typed Socket.IO events, `Server<ClientToServerEvents, ServerToClientEvents>`. */
export interface ServerToClientEvents {
  probe(reply: () => void): void
  session(message: z.infer<typeof sessionSchema>): void
  offer(message: Offer, reply: (reply: OfferReply) => void): void
  invite(message: Invitation, reply: (reply: InvitationReply) => void): void
  'round-closed'(message: RoundClosed): void
  'run-paused'(message: RunPaused): void
  'run-ended'(message: RunEnded): void
}
export interface ClientToServerEvents {
  'ledger-report'(message: LedgerReport, reply: (reply: LedgerReply) => void): void
  'ledger-report-part'(message: LedgerReportPart, reply: (reply: LedgerPartReply) => void): void
  'round-failed'(message: RoundFailed): void
}
