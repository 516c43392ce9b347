import { clientConfigSchema } from '@fedsvd/client'
import { runLimitsSchema, sitePolicySchema } from '@fedsvd/client/policy'
import { EXECUTION_PROVIDERS, RUNTIMES } from '@fedsvd/engine/settings'
import { z } from 'zod'

const client = clientConfigSchema.shape
const policy = sitePolicySchema.shape
const path = z.string().min(1).max(4096)
const column = (what: string, usual?: string) =>
  client.textColumn.meta({ description: `Column of ${what}.`, ...(usual && { defaultText: `\`${usual}\`` }) })

/** The file `site.yaml`: what a site is, what it may spend and on what. Paths in it are relative to its folder. */
export const siteConfigSchema = z.strictObject({
  coordinator: z
    .string()
    .optional()
    .meta({ description: 'Address of the coordinator, such as https://fedsvd.example:7373.' }),
  name: client.name.optional().meta({ description: 'What operators call this site.' }),
  data: z
    .union([path, z.array(path).min(1).max(1000)])
    .optional()
    .meta({ description: 'Records of this site: a file, a folder or a pattern, or several of them.' }),
  task: client.task.meta({ description: 'What the records are for.', defaultText: 'by the columns that are named' }),
  columns: z
    .strictObject({
      text: column('the text', 'text'),
      pair: column('the second text, for labels of pairs'),
      label: column('the label', 'label'),
      words: column('the words, for tagged texts', 'words'),
      tags: column('the tags, one for each word', 'tags'),
      prompt: column('the prompt, for instructions', 'prompt'),
      answer: column('the answer', 'answer'),
      unit: column('the person of a record: persons are then the unit of privacy'),
    })
    .optional()
    .meta({ description: 'Names of the columns of the data.' }),
  reading: z
    .strictObject({
      encoding: client.encoding.meta({
        description: 'Encoding of text files, such as windows-1252.',
        defaultText: 'UTF-8',
      }),
      delimiter: client.delimiter.meta({
        description: 'Between the fields of a table.',
        defaultText: 'a comma in .csv, a tab in .tsv',
      }),
      quoting: client.quoting.meta({
        description: 'Whether fields may stand in double quotes.',
        defaultText: '`double`, but `none` in .tsv',
      }),
    })
    .optional()
    .meta({ description: 'How the files are read.' }),
  declared: z
    .strictObject({
      records: client.declaredRecords.meta({
        description:
          'A public constant in place of the true number of records, chosen by hand as a round number near it. Needed until the first run is agreed to.',
        unit: 'records, or persons where these are the unit',
      }),
      labels: client.declaredLabels.meta({
        description: 'Labels of the records: runs with others are declined.',
        defaultText: 'runs of any labels are taken part in',
      }),
    })
    .optional()
    .meta({ description: 'What the site says of its data; it is told to coordinators.' }),
  budget: z
    .strictObject({
      epsilon: client.budget.shape.epsilon.meta({
        description: 'The most that this site may spend in its life, over everything that it trains on.',
      }),
      delta: client.budget.shape.delta.optional().meta({
        description: 'At most 1 / declared records.',
        defaultText: '`0.00001`',
      }),
      name: client.budgetName.meta({
        description: 'A budget of its own for data that share no people with any other of this site.',
        defaultText: '`site`',
      }),
      renewals: z.array(path).max(1000).optional().meta({
        description: 'Renewals of the budget that the data owner signed (`fedsvd owner renew`); each counts once.',
      }),
      disjointStatement: path.optional().meta({ description: 'What the data owner signed for such a budget.' }),
    })
    .optional()
    .meta({ description: 'What this site may spend. A budget can be lowered, never raised.' }),
  policy: z
    .strictObject({
      approval: policy.approval.optional().meta({
        description:
          '`ask`: each run waits until `fedsvd site approve` signs for it. `auto`: what is allowed is joined.',
        defaultText: '`auto`',
      }),
      coordinators: policy.coordinators.meta({
        description: 'Addresses of the coordinators that this site may join.',
        defaultText: 'the one that it is started with',
      }),
      models: runLimitsSchema.shape.models.meta({
        description: 'Models that runs may be made with, as manifests name them (`owner/name@commit`).',
        defaultText: 'any that is in the model folder, or on the hub where one is set',
      }),
      tasks: policy.tasks.meta({ description: 'What runs may train for.', defaultText: 'what the records are for' }),
      methods: policy.methods.meta({
        description: 'Methods that runs may use, such as `fedsvd`.',
        defaultText: 'any',
      }),
      maxEpsilonPerRun: policy.maxEpsilonPerRun.meta({ description: 'The most epsilon that one run may be granted.' }),
      maxEpsilonPerMonth: policy.maxEpsilonPerMonth.meta({
        description:
          'The most epsilon that the runs which are agreed to in one calendar month (UTC) may be granted together.',
      }),
      minNoiseMultiplier: policy.minNoiseMultiplier.meta({
        description: 'The least noise multiplier with which this site takes part.',
      }),
      maxSteps: policy.maxSteps.meta({
        description: 'The most noised steps of one run, extensions included: its rounds times its steps in each.',
        unit: 'steps',
      }),
      limits: runLimitsSchema
        .omit({ models: true })
        .optional()
        .meta({ description: 'Ranges of the numbers of a run that differ from those of the page on site policy.' }),
    })
    .optional()
    .meta({ description: 'On which runs this site may spend.' }),
  stateDir: path.optional().meta({
    description: 'Folder of the key, the ledgers and what is not delivered yet; keep it safe.',
    defaultText: 'one for each user of a machine',
  }),
  tokenFile: path.optional().meta({
    description: 'File with the enrolment token, needed at the first start only; it may be removed afterwards.',
  }),
  tls: z
    .strictObject({
      ca: path.optional().meta({ description: 'PEM authority of the coordinator’s certificate.' }),
      cert: path.optional().meta({ description: 'PEM certificate of this site, where it is asked for.' }),
      key: path.optional().meta({ description: 'PEM private key of that certificate.' }),
    })
    .optional()
    .meta({ description: 'Certificates.' }),
  models: z
    .strictObject({
      folder: path.optional().meta({ description: 'Folder of checkpoints.', defaultText: '`.fedsvd/models`' }),
      hub: client.hub.meta({ description: 'Hub to fetch checkpoints from.', defaultText: 'none' }),
      hubTokenFile: path.optional().meta({ description: 'File with the access token of the hub.' }),
    })
    .optional()
    .meta({ description: 'Where checkpoints are.' }),
  extensions: z
    .array(path)
    .max(100)
    .optional()
    .meta({ description: 'Modules that add rules, methods, initialisers or models, as the coordinator has them.' }),
  compute: z
    .strictObject({
      threads: client.threads.unwrap().optional().meta({ description: 'Threads of the engine.', defaultText: '`1`' }),
      runtime: z.enum(RUNTIMES).optional().meta({ description: 'What computes.', defaultText: '`onnxruntime`' }),
      executionProvider: z
        .enum(EXECUTION_PROVIDERS)
        .optional()
        .meta({ description: 'Device of onnxruntime.', defaultText: '`cpu`' }),
    })
    .optional()
    .meta({ description: 'What the site computes with.' }),
  releaseGrid: z.boolean().optional().meta({
    description:
      'Whether what follows from training leaves at the end of public slots of time. Without it the times of releases are not protected.',
    defaultText: '`true`',
  }),
  maxWaitSeconds: client.maxWaitSeconds.meta({
    description: 'How long the coordinator is waited for at the start.',
    unit: 's',
    defaultText: 'for ever',
  }),
})
/** How the JSON schema of the file is called. */
export const SITE_SCHEMA = {
  title: 'fedsvd site configuration',
  id: 'https://fedsvd.invalid/site-configuration.schema.json',
} as const

export type SiteConfig = z.output<typeof siteConfigSchema>
