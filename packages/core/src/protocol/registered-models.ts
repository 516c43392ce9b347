import { z } from 'zod'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { identifierSchema } from './identifier.ts'
import { nameSchema } from './name.ts'

/**
 * Which states of a run stay once it is over: `all`; `best`, which is the best on the hold-out and the newest; or
 * `last:5`, the newest five. States that the registry names stay in any case.
 */
export const keepStatesSchema = z
  .string()
  .regex(/^(?:all|best|last:[1-9]\d{0,3})$/, 'expected all, best or last:<number>, such as last:5')
export type KeepStates = z.infer<typeof keepStatesSchema>

/** What a model of the registry is called. */
export const modelNameSchema = nameSchema(' ._-')

/** A word on a version, such as `production`; one version of a name has it at a time. */
export const modelTagSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,39}$/, 'expected up to 40 small letters, digits, dots, dashes and underscores')

const tags = z.array(modelTagSchema).max(20)
const count = wholeIn(LIMITS.count)

/**
 * POST /v1/runs/:runId/registered-models: a state of the run becomes the next version of a name, or keeps the one that
 * it has there. Its tags become these, and no other version of the name has them any more.
 */
export const registerModelRequestSchema = z.strictObject({
  name: modelNameSchema,
  /** After which round, from 0, or the best on the hold-out; absent: the newest. */
  round: z.union([count, z.literal('best')]).optional(),
  tags: tags.optional(),
})
export type RegisterModelRequest = z.infer<typeof registerModelRequestSchema>

/** A version of a model in the registry: a state of a run under a name. */
export const registeredModelSchema = z.strictObject({
  name: modelNameSchema,
  version: wholeIn(LIMITS.count),
  tags,
  runId: identifierSchema,
  runName: z.string(),
  round: count,
  /** On the hold-out of the coordinator; absent without one. */
  accuracy: numberIn(LIMITS.measured).optional(),
  /** The base model. */
  model: z.string(),
  createdAt: z.iso.datetime(),
  /** The actor, as the audit log names them. */
  createdBy: z.string(),
})
export type RegisteredModelView = z.infer<typeof registeredModelSchema>

/** GET /v1/registered-models: by name, the newest version first. */
export const registeredModelsSchema = z.strictObject({ models: z.array(registeredModelSchema) })
