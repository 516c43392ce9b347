import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { z } from 'zod'

/** Settings of a coordinator. This file is the only one that reads the environment. */
export const configSchema = z.object({
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
  operatorToken: z.string().min(20).max(200).optional(),
  /** Key of the upload tokens; made up and stored where it is absent. Coordinators that share a database share it too. */
  uploadSecret: z.string().min(32).max(200).optional(),
  /** Folder of the stored tensors; coordinators that share a database share it too. `blobs` in the state folder by default. */
  blobDir: z
    .string()
    .min(1)
    .transform((folder) => path.resolve(folder))
    .optional(),
  /** How long a run waits for the coordinator that drives it before another one on the same database takes it over. */
  leaseSeconds: z.coerce.number().min(1).max(600).default(10),
  /** JSONL file of public, labelled records to measure published states on. */
  holdOut: z.string().min(1).optional(),
  /** Threads for the evaluation on the hold-out. */
  threads: z.coerce.number().int().min(1).max(256).default(1),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** How long a round waits for known clients that are away, once a quorum is there. */
  gatherSeconds: z.coerce.number().min(0).max(3600).default(10),
  /** How long a shutdown waits for requests under way. */
  graceSeconds: z.coerce.number().min(0).max(600).default(10),
  /** Enrolments and challenges that one address may ask for in a minute. */
  requestsPerMinute: z.coerce.number().int().min(1).default(600),
  /** Refused requests after which an address has to wait, in a minute. */
  refusalsPerMinute: z.coerce.number().int().min(1).default(300),
  /** Refused sign-ins of operators after which an address has to wait, in a minute. */
  refusedSignInsPerMinute: z.coerce.number().int().min(1).default(10),
  /** Reverse proxies in front of the coordinator, for the callers' addresses. */
  trustedProxies: z.coerce.number().int().min(0).max(10).default(0),
})

export type CoordinatorConfig = z.infer<typeof configSchema>
export type CoordinatorSettings = z.input<typeof configSchema>

/** The environment variable of each setting. */
export const ENVIRONMENT = {
  host: 'FEDSVD_HOST',
  port: 'FEDSVD_PORT',
  stateDir: 'FEDSVD_STATE_DIR',
  tlsCert: 'FEDSVD_TLS_CERT',
  tlsKey: 'FEDSVD_TLS_KEY',
  tlsClientCa: 'FEDSVD_TLS_CLIENT_CA',
  databaseUrl: 'DATABASE_URL',
  operatorToken: 'FEDSVD_OPERATOR_TOKEN',
  uploadSecret: 'FEDSVD_UPLOAD_SECRET',
  blobDir: 'FEDSVD_BLOB_DIR',
  leaseSeconds: 'FEDSVD_LEASE_SECONDS',
  holdOut: 'FEDSVD_HOLD_OUT',
  threads: 'FEDSVD_THREADS',
  logLevel: 'FEDSVD_LOG_LEVEL',
  gatherSeconds: 'FEDSVD_GATHER_SECONDS',
  graceSeconds: 'FEDSVD_GRACE_SECONDS',
  requestsPerMinute: 'FEDSVD_REQUESTS_PER_MINUTE',
  refusalsPerMinute: 'FEDSVD_REFUSALS_PER_MINUTE',
  refusedSignInsPerMinute: 'FEDSVD_REFUSED_SIGN_INS_PER_MINUTE',
  trustedProxies: 'FEDSVD_TRUSTED_PROXIES',
} as const satisfies Record<keyof CoordinatorConfig, string>

/** Reads the settings that the environment gives; an empty variable counts as absent. */
export function settingsFromEnvironment(environment: NodeJS.ProcessEnv = process.env): CoordinatorSettings {
  const given = Object.entries(ENVIRONMENT).map(([setting, variable]) => [setting, environment[variable] || undefined])
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}

/** Completes and checks settings. @throws FedsvdError CONFIG_INVALID naming every setting at fault */
export function completeConfig(settings: CoordinatorSettings): CoordinatorConfig {
  const result = configSchema.safeParse(settings)
  if (result.success) return result.data
  const names = [...new Set(result.error.issues.map(({ path: [setting] }) => String(setting)))]
  const variables = names.map((name) => ENVIRONMENT[name as keyof typeof ENVIRONMENT] ?? name)
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `valid settings for ${names.join(', ')}`,
    got: result.error.issues.map(({ path: [setting], message }) => `${String(setting)}: ${message}`).join('; '),
    remedy: `Correct ${variables.join(', ')}.`,
  })
}
