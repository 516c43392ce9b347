import { readFileSync } from 'node:fs'
import path from 'node:path'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { TASKS } from '@fedsvd/core/lora'
import { issueInWords, keepStatesSchema, roleSchema, unknownKeyOf, unknownSetting } from '@fedsvd/core/protocol'
import { extensionSetting } from '@fedsvd/engine/extensions'
import type { ModelSettings } from '@fedsvd/engine/models'
import { ENVIRONMENT, EXECUTION_PROVIDERS, FROM_FILES, RUNTIMES, SVD_DEVICES } from '@fedsvd/engine/settings'
import { z } from 'zod'
import { lengthOf, SECRETS, type SecretLength, secretFault } from './secrets.ts'

/** More than a process can answer: set this one for no limit. */
const MOST_PER_MINUTE = 10_000_000

/** A switch: `true`, or `1` in the environment. */
const flag = z.union([z.boolean(), z.stringbool()])

/** Without the line break that a file or an editor puts behind it. */
const trimmed = z.string().trim().min(1)

const secret = (length: SecretLength) =>
  trimmed.check(({ value, issues }) => {
    const fault = secretFault(value, length)
    if (fault !== undefined)
      issues.push({
        code: 'custom',
        message: `expected a random secret of ${lengthOf(length)}, got ${fault}`,
        input: '',
      })
  })

const column = z.string().min(1).max(1000).optional()

const readingSchema = z.strictObject({
  task: z.enum(TASKS).optional(),
  textColumn: column,
  pairColumn: column,
  labelColumn: column,
  wordsColumn: column,
  tagsColumn: column,
  promptColumn: column,
  answerColumn: column,
  encoding: z.string().min(1).max(40).optional(),
  delimiter: z.string().length(1).optional(),
  quoting: z.enum(['double', 'none']).optional(),
})

/** What a variable of the environment holds as JSON; text that is none is left for the schema to refuse. */
function parsedJson(given: unknown): unknown {
  if (typeof given !== 'string') return given
  try {
    return JSON.parse(given) as unknown
  } catch {
    return given
  }
}

const NO_CREDENTIALS = 'expected an address without a user or a password, a query or a fragment'

function hasNoCredentials(address: string): boolean {
  const { username, password, search, hash } = new URL(address)
  return [username, password, search, hash].every((part) => part === '')
}

/** Codes and tokens go there: over TLS, or to this very machine. */
function isConfidential(address: string): boolean {
  const { protocol, hostname } = new URL(address)
  return protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
}

/** Settings of a coordinator. This file is the only one that reads the environment. */
export const configSchema = z.strictObject({
  /** Address to listen on. */
  host: z.string().min(1).default('127.0.0.1'),
  /** 0 takes a free one. */
  port: z.coerce.number().int().min(0).max(65535).default(7373),
  /** Folder of the embedded database, the stored tensors and the secrets. */
  stateDir: z
    .string()
    .min(1)
    .default('.fedsvd/coordinator')
    .transform((folder) => path.resolve(folder)),
  /** PEM file of the certificate, with its chain; with it the coordinator speaks HTTPS only. */
  tlsCert: z.string().min(1).optional(),
  /** PEM file of the private key of the certificate. */
  tlsKey: z.string().min(1).optional(),
  /** PEM file of the authority that signs callers' certificates; with it every caller must show one. */
  tlsClientCa: z.string().min(1).optional(),
  /** PostgreSQL; the embedded database is used where it is absent. */
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'expected a postgresql:// address')
    .optional(),
  /** Made up and stored in the state folder where it is absent. */
  operatorToken: secret(SECRETS.operatorToken).optional(),
  /**
   * Key of the upload tokens; made up and stored where it is absent. Coordinators that share a database share it too.
   */
  uploadSecret: secret(SECRETS.uploadSecret).optional(),
  /**
   * Where tensors are kept: `s3://bucket/prefix`, or a folder; the folder `blobs` of the state folder where it is
   * absent. Coordinators that share a database share it too.
   */
  blobs: z
    .string()
    .regex(
      /^(s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[A-Za-z0-9._/-]*)?|(?![a-z0-9]+:\/\/).+)$/,
      'expected s3://bucket/prefix',
    )
    .optional(),
  /** Address of an S3-compatible service; that of AWS in the region where it is absent. */
  s3Endpoint: z.url({ protocol: /^https?$/ }).optional(),
  /** Region of the bucket. */
  s3Region: z.string().min(1).default('us-east-1'),
  /** Name of the key to the bucket. */
  s3AccessKeyId: trimmed.optional(),
  /** The key itself. */
  s3SecretAccessKey: trimmed.optional(),
  /** Of keys that hold for a time. */
  s3SessionToken: trimmed.optional(),
  /**
   * Secret bytes (32, base64url) of the key that signs privacy statements; made up and stored where they are absent.
   */
  statementKey: secret(SECRETS.statementKey).optional(),
  /** Keep the updates of published rounds, which nothing needs any more. */
  keepUpdates: flag.default(false),
  /** Which states of a run stay once it is over, where its request says nothing: `all`, `best` or `last:<number>`. */
  keepStates: keepStatesSchema.default('all'),
  /** How often objects that nothing refers to are looked for and removed; 0 for never. */
  collectSeconds: z.coerce.number().min(0).max(604_800).default(3600),
  /** Objects that were written more recently are left alone. */
  collectGraceSeconds: z.coerce.number().min(1).max(2_592_000).default(3600),
  /** How long a run waits for the coordinator that owns it before another one on the same database takes it over. */
  leaseSeconds: z.coerce.number().min(1).max(600).default(10),
  /**
   * Files, patterns or folder of public, labelled records to measure published states on: see docs/reference/data.md.
   */
  holdOut: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(1000)]).optional(),
  /** How these are read, as a site reads its data; in the environment as JSON, such as `{"textColumn":"body"}`. */
  holdOutReading: z.preprocess(parsedJson, readingSchema).default({}),
  /** Folder of checkpoints, `<models>/<name>/config.json`; what is fetched from a hub goes there too. */
  models: z
    .string()
    .min(1)
    .default('.fedsvd/models')
    .transform((folder) => path.resolve(folder)),
  /**
   * Address of the hub to fetch checkpoints from, such as https://huggingface.co; nothing is fetched where it is
   * absent.
   */
  hub: z.url({ protocol: /^https?$/ }).optional(),
  /** Access token for repositories of the hub that are not public. */
  hubToken: trimmed.max(400).optional(),
  /** Modules that add rules, methods, initialisers or models, with commas between them: see docs/how-to/extend.md. */
  extension: extensionSetting.default([]),
  /** Threads for the evaluation on the hold-out, and for a re-factorisation on the CPU. */
  threads: z.coerce.number().int().min(1).max(256).default(1),
  /** What computes the evaluation: see docs/how-to/use-a-gpu.md. */
  runtime: z.enum(RUNTIMES).default('onnxruntime'),
  /** Device of onnxruntime. */
  executionProvider: z.enum(EXECUTION_PROVIDERS).default('cpu'),
  /** Where the products of a re-factorisation are computed: see docs/reference/devices.md. */
  svdDevice: z.enum(SVD_DEVICES).default('auto'),
  /** Address under which browsers reach the coordinator, with the path before it where a reverse proxy has one. */
  publicUrl: z
    .url({ protocol: /^https?$/ })
    .refine(hasNoCredentials, NO_CREDENTIALS)
    .optional(),
  /**
   * OpenID provider by which operators may sign in, such as `https://login.example.org`: see
   * docs/how-to/sign-in-by-a-provider.md.
   */
  oidcIssuer: z
    .url({ protocol: /^https?$/ })
    .refine(hasNoCredentials, NO_CREDENTIALS)
    .refine(isConfidential, 'expected https://, or http:// on this very machine')
    .optional(),
  /** What the coordinator is called there. */
  oidcClientId: trimmed.max(400).optional(),
  /** Its secret there; absent for a public client, which PKCE alone protects. */
  oidcClientSecret: trimmed.max(400).optional(),
  /** What is asked for there, with spaces between. */
  oidcScopes: z
    .string()
    .regex(/^(.+ )?openid( .+)?$/, 'expected openid among them')
    .max(1000)
    .default('openid profile'),
  /** Claim that gives the role, or the path to it with dots between, such as `realm_access.roles`. */
  oidcRoleClaim: z.string().min(1).max(200).default('roles'),
  /**
   * The role that each value of the claim gives; in the environment as JSON, such as `{"fedsvd-admins":"admin"}`.
   * Nobody else gets in.
   */
  oidcRoles: z
    .preprocess(parsedJson, z.record(z.string().min(1).max(400), roleSchema))
    .refine((roles) => Object.keys(roles).length > 0, 'expected at least one value of the claim')
    .optional(),
  /** Of somebody whose claims give several roles: the one that may do least, or most. */
  oidcOfSeveralRoles: z.enum(['least', 'most']).default('least'),
  /** Claim that gives the name by which others see an operator. */
  oidcNameClaim: z.string().min(1).max(200).default('preferred_username'),
  /** What the button on the sign-in page says behind `Sign in with`; the host of the provider where it is absent. */
  oidcLabel: z.string().trim().min(1).max(60).optional(),
  /** Address of an OTLP receiver over HTTP, such as `http://127.0.0.1:4318`; without it nothing is traced. */
  otlpEndpoint: z.url({ protocol: /^https?$/ }).optional(),
  /** Address of an MLflow tracking server that is told of every run: see docs/reference/trackers.md. */
  mlflowUrl: z
    .url({ protocol: /^https?$/ })
    .refine(hasNoCredentials, NO_CREDENTIALS)
    .optional(),
  /** The experiment there; made where it is not there yet. */
  mlflowExperiment: z.string().trim().min(1).max(200).default('fedsvd'),
  /** User name of Basic authentication there, whose password is the token; without it the token is a Bearer one. */
  mlflowUser: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .regex(/^[^:]*$/, 'expected a name without a colon')
    .optional(),
  /** Access token there, or the password of the user. */
  mlflowToken: trimmed
    .max(4000)
    .regex(/^[\x21-\x7e]+$/, 'expected printable ASCII without spaces')
    .optional(),
  /** Store the adapter of a run that is over there, too; the server has to serve artifacts itself. */
  mlflowArtifacts: flag.default(false),
  /** Folder for event files of every run, which TensorBoard is pointed at. */
  tensorboardDir: z
    .string()
    .min(1)
    .transform((folder) => path.resolve(folder))
    .optional(),
  /** Tell MLflow and TensorBoard the epsilon of each site under its name, beside the highest of all. */
  trackSites: flag.default(false),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** How long a round waits for known clients that are away, once a quorum is there. */
  gatherSeconds: z.coerce.number().min(0).max(3600).default(10),
  /** How soon a connection that was lost without being closed is noticed, on both sides. */
  detectionSeconds: z.coerce.number().min(0.1).max(600).default(45),
  /** How long a shutdown waits for requests under way, uploads above all, before it cuts them. */
  graceSeconds: z.coerce.number().min(0).max(600).default(10),
  /** Enrolments and challenges that one address may ask for in a minute. */
  requestsPerMinute: z.coerce.number().int().min(1).max(MOST_PER_MINUTE).default(600),
  /** Refused requests after which an address has to wait, in a minute. */
  refusalsPerMinute: z.coerce.number().int().min(1).max(MOST_PER_MINUTE).default(300),
  /** Refused sign-ins of operators after which an address has to wait, in a minute. */
  refusedSignInsPerMinute: z.coerce.number().int().min(1).max(MOST_PER_MINUTE).default(10),
  /** Updates and states that one client may send and fetch in a minute. */
  transfersPerMinute: z.coerce.number().int().min(1).max(MOST_PER_MINUTE).default(600),
  /** Ledger reports that one client may send in a minute. */
  reportsPerMinute: z.coerce.number().int().min(1).max(MOST_PER_MINUTE).default(600),
  /** How long a request may take to send its headers. */
  headersSeconds: z.coerce.number().min(0.05).max(600).default(15),
  /** How long a request may take to send all of itself. */
  requestSeconds: z.coerce.number().min(0.05).max(86_400).default(600),
  /** How long a connection may be still. */
  idleSeconds: z.coerce.number().min(0.05).max(3600).default(120),
  /** Reverse proxies in front of the coordinator, for the callers' addresses. */
  trustedProxies: z.coerce.number().int().min(0).max(10).default(0),
})

export type CoordinatorConfig = z.infer<typeof configSchema>
export type CoordinatorSettings = z.input<typeof configSchema>

ENVIRONMENT satisfies Readonly<Record<keyof CoordinatorConfig, string>>

/**
 * Reads the settings that the environment gives, and the files that it names; an empty variable counts as absent.
 *
 * @throws FedsvdError CONFIG_INVALID for a file that cannot be read, and for a setting that is given twice
 */
export function settingsFromEnvironment(environment: NodeJS.ProcessEnv = process.env): CoordinatorSettings {
  const given = Object.entries(ENVIRONMENT).map(([setting, variable]) => [setting, environment[variable] || undefined])
  const inFiles = FROM_FILES.map((setting) => [setting, fromFile(environment, ENVIRONMENT[setting])])
  return Object.fromEntries([...given, ...inFiles].filter(([, value]) => value !== undefined))
}

function fromFile(environment: NodeJS.ProcessEnv, variable: string): string | undefined {
  const file = environment[`${variable}_FILE`]
  if (!file) return undefined
  const invalid = (got: string): FedsvdError =>
    new FedsvdError('CONFIG_INVALID', {
      expected: `either ${variable} or ${variable}_FILE, the name of a file that can be read`,
      got: `${got} (${file})`,
      remedy: `Correct ${variable}_FILE.`,
    })
  if (environment[variable]) throw invalid('both')
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw invalid(systemFault(error)?.detail.got ?? (error as Error).message)
  }
}

/** What a person calls a setting: the variable of the environment, or the option of a command that it came from. */
export type NameOfSetting = (setting: keyof CoordinatorConfig) => string

export const nameOfVariable: NameOfSetting = (setting) => ENVIRONMENT[setting] ?? setting

/** Completes and checks settings. @throws FedsvdError CONFIG_INVALID naming every setting at fault */
export function completeConfig(
  settings: CoordinatorSettings,
  nameOf: NameOfSetting = nameOfVariable,
): CoordinatorConfig {
  const result = configSchema.safeParse(settings)
  if (result.success) return result.data
  const unknown = unknownKeyOf(configSchema, result.error.issues)
  if (unknown !== undefined) {
    const [setting, ...within] = unknown.path
    const isKnown = within.length > 0
    throw unknownSetting(
      'the coordinator',
      [isKnown ? nameOf(setting as keyof CoordinatorConfig) : setting, ...within].join('.'),
      unknown.nearest,
    )
  }
  const faults = result.error.issues.map((issue) => {
    return { name: nameOf(issue.path[0] as keyof CoordinatorConfig), message: issueInWords(issue, settings) }
  })
  const names = [...new Set(faults.map(({ name }) => name))].join(', ')
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `valid settings for ${names}`,
    got: faults.map(({ name, message }) => `${name}: ${message}`).join('; '),
    remedy: `Correct ${names}.`,
  })
}

/** Where the coordinator has its checkpoints. */
export function modelSettings({ models, hub, hubToken }: CoordinatorConfig): ModelSettings {
  return { models, ...(hub !== undefined && { hub: { url: hub, token: hubToken } }) }
}
