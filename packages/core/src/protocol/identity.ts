import { z } from 'zod'
import { identifierSchema } from './identifier.ts'
import { nameSchema } from './name.ts'

/**
 * What a person may do at a coordinator; the table of permissions in the protocol reference says what each one means.
 */
export const roleSchema = z.enum(['admin', 'operator', 'auditor'])
export type Role = z.infer<typeof roleSchema>

/** What a client is called. */
export const clientNameSchema = nameSchema(' ._-')

/** What an operator is called. */
export const operatorNameSchema = nameSchema(' ._@-')

/** An operator as others see it: no secret, no hash. */
export const operatorSchema = z.strictObject({
  id: identifierSchema,
  name: operatorNameSchema,
  role: roleSchema,
  /** True for one who signs in by an OpenID provider, and whose role follows the claims there. */
  byProvider: z.literal(true).optional(),
  createdAt: z.iso.datetime(),
  disabledAt: z.iso.datetime().optional(),
})
export type OperatorView = z.infer<typeof operatorSchema>

/** POST /v1/operators. The secret is shown to nobody again; the coordinator keeps its scrypt hash. */
export const operatorRequestSchema = z.strictObject({
  name: operatorNameSchema,
  role: roleSchema,
  secret: z.string().min(12).max(200),
})
export type OperatorRequest = z.infer<typeof operatorRequestSchema>

/** POST /v1/session: a session in an httpOnly cookie, or as a bearer token for programs. */
export const signInRequestSchema = z.strictObject({
  name: z.string().normalize('NFC').min(1).max(200),
  secret: z.string().min(1).max(200),
  as: z.enum(['cookie', 'token']).default('cookie'),
})
export type SignInRequest = z.input<typeof signInRequestSchema>

/** POST /v1/operators/:operatorId/sign-in-link: what signs the operator in once, as `#sign-in=<token>` in a browser. */
export const signInLinkSchema = z.strictObject({ token: z.string(), expiresAt: z.iso.datetime() })
export type SignInLinkView = z.infer<typeof signInLinkSchema>

/** POST /v1/session/link: a session in an httpOnly cookie, for the token of a link that was not used. */
export const linkRequestSchema = z.strictObject({ token: z.string().min(1).max(200) })

/** Who is speaking, and until when: POST and GET /v1/session. */
export const sessionInfoSchema = z.strictObject({
  /** Absent for the operator token of the coordinator itself, which is nobody's. */
  operator: operatorSchema.pick({ id: true, name: true, byProvider: true }).optional(),
  role: roleSchema,
  /** Without a request until then, the session ends. */
  expiresAt: z.iso.datetime().optional(),
  /** To be sent as `X-CSRF-Token` with every request by cookie that changes something; absent for bearer tokens. */
  csrfToken: z.string().optional(),
  /** The session as a bearer token, where that was asked for. */
  token: z.string().optional(),
})
export type SessionInfo = z.infer<typeof sessionInfoSchema>

/** GET /v1/sign-in-options: how operators may sign in beside a name and a secret. */
export const signInOptionsSchema = z.strictObject({
  /** The OpenID provider of the coordinator, as the button names it; absent where there is none. */
  provider: z.strictObject({ label: z.string() }).optional(),
})
export type SignInOptions = z.infer<typeof signInOptionsSchema>

/** GET /v1/clients. */
export const clientViewSchema = z.strictObject({
  clientId: identifierSchema,
  name: z.string(),
  enrolledAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
  connected: z.boolean(),
  /** When it last came or went; absent for one that never connected. */
  lastSeenAt: z.iso.datetime().optional(),
  /** The release of fedsvd that it said it runs. */
  version: z.string().optional(),
})
export type ClientView = z.infer<typeof clientViewSchema>

const DAY_SECONDS = 24 * 3600

/**
 * POST /v1/enrolment-tokens: single-use rights to enrol; `name`: under this name alone, or one that is read as the
 * same.
 */
export const enrolmentTokenRequestSchema = z
  .strictObject({
    count: z.number().int().min(1).max(1000),
    expiresInSeconds: z
      .number()
      .int()
      .min(1)
      .max(90 * DAY_SECONDS),
    name: clientNameSchema.optional(),
  })
  .refine(({ count, name }) => name === undefined || count === 1, 'expected a count of 1 where a name is given')
export type EnrolmentTokenRequest = z.infer<typeof enrolmentTokenRequestSchema>

/** Names a token without being worth anything: the beginning of its SHA-256, as the audit log has it. */
export const tokenIdSchema = z.string().regex(/^[0-9a-f]{12}$/)

/** An enrolment token as operators see it. `ended`: it expired, or was withdrawn, without being used. */
export const enrolmentTokenViewSchema = z.strictObject({
  tokenId: tokenIdSchema,
  /** The name of the client that it is for; absent where any may use it. */
  name: z.string().optional(),
  state: z.enum(['open', 'used', 'ended']),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** Who enrolled with it. */
  clientId: identifierSchema.optional(),
})
export type EnrolmentTokenView = z.infer<typeof enrolmentTokenViewSchema>

/** GET /v1/enrolment-tokens: the newest first, at most a thousand. */
export const enrolmentTokenListSchema = z.strictObject({ tokens: z.array(enrolmentTokenViewSchema) })
