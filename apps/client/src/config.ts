import { FedsvdError } from '@fedsvd/core/errors'
import { TASKS } from '@fedsvd/core/lora'
import {
  budgetSchema,
  enrolRequestSchema,
  issueInWords,
  LIMITS,
  unknownKeyOf,
  unknownSetting,
  wholeIn,
} from '@fedsvd/core/protocol'
import { extensionSetting } from '@fedsvd/engine/extensions'
import type { ModelSettings } from '@fedsvd/engine/models'
import { EXECUTION_PROVIDERS, RUNTIMES } from '@fedsvd/engine/settings'
import { z } from 'zod'
import { budgetNameSchema, SITE_BUDGET } from './ledger/index.ts'
import { runLimitsSchema, sitePolicySchema } from './policy/index.ts'
import { defaultStateDir } from './state-folder.ts'
import { coordinatorAddress, coordinatorKey } from './transport/address.ts'

/** A data set in more pieces than these is a folder, or a pattern. */
const MOST_PATHS = 1000

const column = z.string().min(1).optional()
const path = z.string().min(1)

export const clientConfigSchema = z.strictObject({
  /** Address of the coordinator, http or https. */
  coordinator: z.string().transform((address, { issues }) => {
    try {
      return coordinatorAddress(address)
    } catch (error) {
      issues.push({ code: 'custom', message: (error as FedsvdError).detail.got, input: '' })
      return z.NEVER
    }
  }),
  /** The name that operators see. */
  name: enrolRequestSchema.shape.name,
  /** Files, patterns or folder of this site's records, see docs/reference/data.md; they are never sent anywhere. */
  dataFile: z.union([path, z.array(path).min(1).max(MOST_PATHS)]),
  /** What the records are for; default: by the columns that are named. */
  task: z.enum(TASKS).optional(),
  /** Names of columns; the defaults are the words before "Column". */
  textColumn: column,
  pairColumn: column,
  labelColumn: column,
  wordsColumn: column,
  tagsColumn: column,
  promptColumn: column,
  answerColumn: column,
  /**
   * Names the person of a record: persons are then the unit of privacy of this site, and of every run that it takes
   * part in.
   */
  unitColumn: column,
  /** Encoding of text files, a WHATWG label; default UTF-8, and any other is refused. */
  encoding: z.string().min(1).max(40).optional(),
  /** Between the fields of a text table; default: a comma in .csv files, a tab in .tsv files. */
  delimiter: z.string().length(1).optional(),
  /**
   * Whether fields may stand in double quotes; default: in .csv files they may, in .tsv files a quote is a character.
   */
  quoting: z.enum(['double', 'none']).optional(),
  /**
   * Folder of the key, the ledgers and the outbox; default: one for each user of a machine. Losing it is losing the
   * proof of what was spent.
   */
  stateDir: z
    .string()
    .min(1)
    .default(() => defaultStateDir()),
  /** What this site may spend in its whole life, over all data sets, runs and coordinators. */
  budget: budgetSchema,
  /** Name of the budget; default: the one of the site. Any other takes a statement of the data owner. */
  budgetName: budgetNameSchema.optional(),
  /** File with the data owner's statement that the people in these data are in no others of this site. */
  disjointStatement: z.string().min(1).optional(),
  /** Files with renewals of the budget that the data owner has signed; each counts once. */
  renewals: z.array(path).max(1000).default([]),
  /** Single-use token, needed at the first start only. */
  enrolmentToken: z.string().min(1).optional(),
  /** PEM file of the authority that signed the coordinator's certificate, in place of those that the system trusts. */
  ca: z.string().min(1).optional(),
  /** PEM files of this site's certificate and key, where the coordinator asks for one. */
  cert: z.string().min(1).optional(),
  key: z.string().min(1).optional(),
  /**
   * A public constant in place of the true number of records, chosen by hand. Needed until the first run is agreed to;
   * a ledger with a run has it in the terms of that run.
   */
  declaredRecords: wholeIn(LIMITS.declaredRecords).optional(),
  /**
   * The labels that the records have, declared; absent: records of labels that a run does not have are left out of it.
   */
  declaredLabels: z.array(z.string().min(1)).min(2).optional(),
  /** What this site does not do for any coordinator: limits that differ from those of docs/reference/site-policy.md. */
  limits: runLimitsSchema.default({}),
  /** On which runs this site may spend, see docs/reference/site-policy.md. */
  policy: sitePolicySchema.prefault({}),
  /** Folder of checkpoints, `<models>/<name>/config.json`; what is fetched from a hub goes there too. */
  models: z.string().min(1).default('.fedsvd/models'),
  /** Address of the hub to fetch checkpoints from; nothing is fetched where it is absent, whatever a run asks for. */
  hub: z.url({ protocol: /^https?$/ }).optional(),
  /** Access token for repositories of the hub that are not public. */
  hubToken: z.string().min(1).optional(),
  /** Modules that add rules, methods, initialisers or models: those that the runs of the coordinator name. */
  extension: extensionSetting.default([]),
  threads: z.number().int().min(1).max(256).default(1),
  /** What computes: see docs/how-to/use-a-gpu.md. */
  runtime: z.enum(RUNTIMES).default('onnxruntime'),
  /** Device of onnxruntime. */
  executionProvider: z.enum(EXECUTION_PROVIDERS).default('cpu'),
  /**
   * Sends what follows from training at the end of public slots of time, so that how long it took tells nothing of the
   * records. Costs waiting; without it the times of releases are not protected.
   */
  releaseGrid: z.boolean().default(true),
  /** End when the first run in which this client takes part has ended. */
  once: z.boolean().default(false),
  /** How long to wait for the coordinator at the start, in seconds; for ever when absent. */
  maxWaitSeconds: z
    .number()
    .min(0.001)
    .max(10 * 365 * 24 * 3600)
    .optional(),
})

export type ClientConfig = z.infer<typeof clientConfigSchema>
export type ClientConfigInput = z.input<typeof clientConfigSchema>

/** What a person calls a setting: by its path in the configuration, or the option of a command that it came from. */
export type NameOfClientSetting = (path: readonly string[]) => string

const nameOfPath: NameOfClientSetting = (path) => path.join('.')

/** Checks a configuration. @throws FedsvdError CONFIG_INVALID naming the first setting at fault */
export function clientConfig(input: ClientConfigInput, nameOf: NameOfClientSetting = nameOfPath): ClientConfig {
  const result = clientConfigSchema.safeParse(input)
  if (result.success) {
    requireBudgetOfStatement(result.data, nameOf)
    requireCoordinatorAllowed(result.data, nameOf)
    return result.data
  }
  const unknown = unknownKeyOf(clientConfigSchema, result.error.issues)
  if (unknown !== undefined) throw unknownSetting('a client', nameOf(unknown.path), unknown.nearest)
  const [issue] = result.error.issues
  if (issue?.path[0] === 'coordinator') coordinatorAddress(input.coordinator) // whose own words are better
  const name = issue === undefined || issue.path.length === 0 ? 'configuration' : nameOf(issue.path.map(String))
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `a valid ${name}`,
    got: issue === undefined ? 'an invalid value' : issueInWords(issue, input),
    remedy: `Correct ${name}: see fedsvd join --help.`,
  })
}

/** A site that names its coordinators is started with none but these, before anything is said to another one. */
function requireCoordinatorAllowed({ coordinator, policy }: ClientConfig, nameOf: NameOfClientSetting): void {
  const { coordinators } = policy
  if (coordinators === undefined) return
  const own = coordinatorKey(coordinator)
  if (coordinators.some((allowed) => coordinatorKey(allowed) === own)) return
  throw new FedsvdError('POLICY_REFUSED', {
    expected: `one of the coordinators ${coordinators.join(', ')}, which ${nameOf(['policy', 'coordinators'])} names`,
    got: coordinator,
    remedy: 'Join one of these, or add the address to the policy of this site; nothing was sent.',
  })
}

/** A statement is about a budget beside that of the site: without one it would count for nothing. */
function requireBudgetOfStatement(config: ClientConfig, nameOf: NameOfClientSetting): void {
  if (config.disjointStatement === undefined || (config.budgetName ?? SITE_BUDGET) !== SITE_BUDGET) return
  const [statement, name] = [nameOf(['disjointStatement']), nameOf(['budgetName'])]
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `${statement} together with the name of a budget of its own`,
    got: config.budgetName === undefined ? `no ${name}` : `the budget "${SITE_BUDGET}", which is over all other data`,
    remedy: `Give the name that the data owner signed with ${name}, or leave ${statement} out.`,
  })
}

/** Where this site has its checkpoints. */
export function modelSettings({ models, hub, hubToken }: ClientConfig): ModelSettings {
  return { models, readsTextsApart: true, ...(hub !== undefined && { hub: { url: hub, token: hubToken } }) }
}
