import { predictsTokens, TASKS } from '@fedsvd/core/lora'
import {
  adaptiveClippingSchema,
  CHOICE_DEFAULTS,
  checkpointIdentitySchema,
  identifierSchema,
  LIMITS,
  MANIFEST_DEFAULTS,
  NEW_RUN_MAX_NOISE_RATIO,
  numberIn,
  type RunRequest,
  runDefaults,
  runRequestSchema,
  STARTER_MODEL,
  siteEvaluationSchema,
  usualQuorum,
  wholeIn,
} from '@fedsvd/core/protocol'
import { z } from 'zod'
import type { FieldMeta } from '../config-file/index.ts'

const { shape } = runRequestSchema
const starter = runDefaults({ model: STARTER_MODEL, task: MANIFEST_DEFAULTS.task })
const checkpoint = runDefaults({ model: 'a checkpoint', task: MANIFEST_DEFAULTS.task })
const decoder = runDefaults({ model: 'a checkpoint', task: 'causal-lm' })

/** A field that may be left out, with what it decides. */
function optional<S extends z.ZodType>(schema: S, meta: FieldMeta): z.ZodOptional<S> {
  return schema.optional().meta({ ...meta })
}

/** What the default is where the starter has another one than a checkpoint. */
function byModel(of: (defaults: typeof starter) => number): string {
  const [first, second, third] = [starter, checkpoint, decoder].map(of)
  const ofTokens = third === second ? '' : `, ${third} where tokens are predicted`
  return first === second ? `${first}${ofTokens}` : `${first} for the starter, ${second} for a checkpoint${ofTokens}`
}

/** What is known by name at the coordinator, which may have extensions: it says what it does not know. */
const registered = z.string().min(1).max(64)

/** The terms of a rule are known to the coordinator, which refuses others. */
const ruleWithTerms = z
  .record(z.string(), z.union([z.number(), z.string(), z.boolean()]))
  .check(({ value, issues }) => {
    if (typeof value.name === 'string') return
    issues.push({ code: 'custom', path: ['name'], message: 'no name of a rule, such as `name: median`', input: value })
  })

const startFrom = z.strictObject({
  run: identifierSchema.meta({ description: 'Identifier of the earlier run; it has to be yours.' }),
  round: optional(z.union([wholeIn(LIMITS.rounds), z.literal('best')]), {
    description:
      'After which of its rounds, counted from 1, or `best`: the one of the highest accuracy on the hold-out.',
    defaultText: 'its newest',
  }),
})

const model = z.strictObject({
  name: shape.model.shape.name.meta({
    description: '`starter`, or a checkpoint in the model folder of each side, or `owner/name@commit` of a hub.',
  }),
  checkpoint: optional(checkpointIdentitySchema, {
    description:
      'What the checkpoint must hold, as `fedsvd model show` prints it. Needed only where the coordinator has its config.json alone.',
    defaultText: 'found out by the coordinator',
  }),
  maxTokens: optional(shape.model.shape.maxTokens, {
    description: 'Longer inputs are cut. Time grows with it; look at the lengths of your texts before raising it.',
    unit: 'tokens',
    defaultText: `${byModel(({ model: { maxTokens } }) => maxTokens)}, and no more than the model reads`,
  }),
  featureScale: optional(shape.model.shape.featureScale.unwrap(), {
    description:
      'Multiplies what the head sees, and so decides how head and adapters share the clip norm. Leave it alone unless the head learns too slowly.',
    defaultText: `${starter.model.featureScale} for the starter, else ${MANIFEST_DEFAULTS.featureScale}`,
  }),
})

const adapter = z.strictObject({
  rank: optional(shape.adapter.shape.rank, {
    description: 'Directions that each adapted layer may use. More hold more noise as well: 4 to 16 are usual.',
    defaultText: byModel(({ adapter: { rank } }) => rank),
  }),
  alpha: optional(shape.adapter.shape.alpha, {
    description: 'The adapter counts alpha / rank times. Change the learning rate rather than this.',
    defaultText: byModel(({ adapter: { alpha } }) => alpha),
  }),
  headMode: optional(shape.adapter.shape.headMode, {
    description: 'Whether the head of labels is trained with the adapters, or stays random and frozen as in the paper.',
    defaultText: '`trained`',
  }),
  targets: optional(shape.adapter.shape.targets.unwrap(), {
    description: 'Names or endings of the linear layers that are adapted, or `all-linear`; PEFT’s target_modules.',
    defaultText: 'those of PEFT for the architecture',
  }),
})

const target = z.strictObject({
  epsilon: shape.target.shape.epsilon.meta({
    description:
      'What the run asks each site to spend at most, for its data over the whole run. Less is more private and less accurate: docs/tutorials/choose-epsilon.md. The limit of a site always wins.',
  }),
  delta: optional(shape.target.shape.delta, {
    description: 'At most one over the declared records of every site; those with more records stay out.',
    defaultText: String(starter.target.delta),
  }),
})

const unit = z.strictObject({
  kind: z.literal('person').meta({ description: 'The unit that is protected as a whole.' }),
  maxRecords: optional(wholeIn(LIMITS.recordsPerUnit), {
    description: 'Of a person with more records, the first so many are used and the others never.',
    unit: 'records',
    defaultText: String(CHOICE_DEFAULTS.maxRecords),
  }),
  combine: optional(z.enum(['mean', 'sum']), {
    description: 'How the gradients of a person’s records become one, before it is clipped.',
    defaultText: `\`${CHOICE_DEFAULTS.combine}\``,
  }),
})

const MODES = ['synchronous', 'buffered'] as const
const mode = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('synchronous').meta({ description: 'Round by round: each waits for its sites.' }) }),
  z.strictObject({
    name: z.literal('buffered').meta({ description: 'The model moves whenever enough updates have come (FedBuff).' }),
    bufferSize: optional(wholeIn(LIMITS.clients), {
      description: 'So many accepted updates make the next state.',
      unit: 'updates',
      defaultText: String(CHOICE_DEFAULTS.bufferSize),
    }),
    stalenessExponent: optional(numberIn(LIMITS.stalenessExponent), {
      description: 'An update that is s states old counts (1 + s)^-stalenessExponent times.',
      defaultText: String(CHOICE_DEFAULTS.stalenessExponent),
    }),
  }),
])

const adaptiveClipping = z.strictObject({
  quantile: optional(adaptiveClippingSchema.shape.quantile, {
    description: 'Share of norms that should lie under the clip norm.',
    defaultText: String(CHOICE_DEFAULTS.quantile),
  }),
  learningRate: optional(adaptiveClippingSchema.shape.learningRate, {
    description: 'How fast the clip norm moves: by at most this factor of e in a round.',
    defaultText: String(CHOICE_DEFAULTS.clipLearningRate),
  }),
  countShare: optional(adaptiveClippingSchema.shape.countShare, {
    description: 'Part of the mechanism’s budget that the votes take. Epsilon is what it would be without them.',
    defaultText: String(CHOICE_DEFAULTS.countShare),
  }),
})

const siteEvaluation = z.strictObject({
  share: optional(siteEvaluationSchema.shape.share, {
    description:
      'Share of its units that each site sets aside. Copies of a text, and the records of a person, stay together.',
    defaultText: String(CHOICE_DEFAULTS.validationShare),
  }),
  every: optional(siteEvaluationSchema.shape.every, {
    description:
      'Rounds from one evaluation to the next; the last round has one as well. Fewer of them have less noise.',
    unit: 'rounds',
    defaultText: String(CHOICE_DEFAULTS.evaluationEvery),
  }),
  noiseMultiplier: optional(siteEvaluationSchema.shape.noiseMultiplier, {
    description: 'Noise of the counts, in units of what one unit can add to them.',
    defaultText: 'the least with which all evaluations cost half of the target',
  }),
  patience: optional(siteEvaluationSchema.shape.patience.unwrap(), {
    description: 'Ends the run after so many evaluations in a row without a better one.',
    unit: 'evaluations',
    defaultText: 'the run ends with its rounds',
  }),
})

const clientLevelShape = shape.clientLevel.unwrap().shape
const clientLevel = z.strictObject({
  clipNorm: clientLevelShape.clipNorm.meta({ description: 'Most that one site’s update may have, as a norm.' }),
  noiseMultiplier: optional(clientLevelShape.noiseMultiplier.unwrap(), {
    description: 'Noise of the coordinator, in units of that clip norm.',
    defaultText: 'the least that keeps every site within the budget',
  }),
  budget: z
    .strictObject({
      epsilon: clientLevelShape.budget.shape.epsilon.meta({ description: 'Budget of a whole site at this level.' }),
      delta: clientLevelShape.budget.shape.delta.meta({ description: 'At most one over clientsPerRound.' }),
    })
    .meta({ description: 'What the coordinator’s noise may cost a site, over all of its runs there.' }),
  adaptiveClipping: optional(adaptiveClipping, { description: 'Lets that clip norm follow a quantile.' }),
})

/**
 * What a run configuration may say: the run request of the protocol, with all that has a usual value left to choice.
 * Every field of the request is here, which the type checker sees to.
 */
const fields = {
  name: shape.name.meta({ description: 'How the run is shown. Sites see it too.' }),
  model: z.union([shape.model.shape.name, model]).default(STARTER_MODEL).meta({
    description:
      'The frozen checkpoint, by its name or with its terms. `fedsvd model list` shows what the coordinator offers.',
  }),
  task: optional(z.enum(TASKS), {
    description: 'What the model is trained for: docs/reference/tasks.md.',
    defaultText: `\`${MANIFEST_DEFAULTS.task}\``,
  }),
  labels: optional(shape.labels, {
    description:
      'Names of the classes or tags, as they stand in the data of all sites. Needed unless the task predicts tokens; numbers and `true` go into quotation marks.',
    defaultText: 'none',
  }),
  target: target.meta({ description: 'The privacy that the run asks for.' }),
  maxNoiseRatio: optional(shape.maxNoiseRatio.unwrap(), {
    description:
      'The most extra noise of a site: a multiple of what it would need with an untouched budget. One that is nearly spent stays out.',
    defaultText: String(NEW_RUN_MAX_NOISE_RATIO),
  }),
  rounds: optional(shape.rounds, {
    description: 'More rounds need more noise in each for the same budget.',
    unit: 'rounds',
    defaultText: byModel(({ rounds }) => rounds),
  }),
  localSteps: optional(shape.localSteps, {
    description: 'DP-SGD steps of a site in a round. More of them save traffic; each one is accounted for.',
    unit: 'steps',
    defaultText: byModel(({ localSteps }) => localSteps),
  }),
  expectedLotSize: optional(shape.expectedLotSize, {
    description:
      'Records (or persons) that a step draws on average. Larger ones average out noise and cost more privacy; sites that declare fewer records stay out.',
    unit: 'units of privacy',
    defaultText: byModel(({ expectedLotSize }) => expectedLotSize),
  }),
  clipNorm: optional(shape.clipNorm, {
    description: 'The most that one record may move a step, as a norm. Noise grows with it.',
    defaultText: byModel(({ clipNorm }) => clipNorm),
  }),
  learningRate: optional(shape.learningRate, {
    description:
      'Step size. The first to change where accuracy jumps (lower it) or crawls (raise it); halve it where you double clipNorm.',
    defaultText: byModel(({ learningRate }) => learningRate),
  }),
  momentum: optional(shape.momentum, {
    description: 'On the noised gradients; 0 is plain SGD.',
    defaultText: byModel(({ momentum }) => momentum),
  }),
  clientsPerRound: optional(shape.clientsPerRound, {
    description: 'Sites that are asked in a round, chosen by the public seed among those that are there and can pay.',
    unit: 'sites',
    defaultText: 'all that are enrolled',
  }),
  quorum: optional(shape.quorum, {
    description: 'Updates that close a round; at most clientsPerRound. A lower one bears more sites that fail.',
    unit: 'updates',
    defaultText: `seven in ten of clientsPerRound, such as ${usualQuorum(10)} of 10`,
  }),
  deadlineSeconds: optional(shape.deadlineSeconds, {
    description: 'Without a quorum by then a round waits for another term. Give the slowest site time for its steps.',
    unit: 'seconds',
    defaultText: byModel(({ deadlineSeconds }) => deadlineSeconds),
  }),
  adapter: optional(adapter, { description: 'The LoRA adapters.' }),
  method: optional(registered, {
    description: '`fedsvd` re-factorises by SVD after each round; `ffa-lora` keeps A frozen, the baseline.',
    defaultText: '`fedsvd`',
  }),
  initialiser: optional(registered, {
    description: 'Draws the first A from the public seed.',
    defaultText: `\`${MANIFEST_DEFAULTS.initialiser}\``,
  }),
  aggregation: optional(z.union([registered, ruleWithTerms]), {
    description:
      'How the updates of a round become one: `mean`, `inverse-variance-mean`, `median`, `trimmed-mean`, `krum` or another rule of the coordinator, by its name or as a map of `name` and the terms of that rule. Only robust rules bear malicious sites.',
    defaultText: '`mean`',
  }),
  mode: optional(z.union([z.enum(MODES), mode]), {
    description: 'How the run goes from state to state, by its name or with its terms.',
    defaultText: '`synchronous`',
  }),
  lateUpdates: optional(shape.lateUpdates.unwrap(), {
    description:
      'What becomes of an update whose round has closed: refused, or moved to the round under way and counted there. Not beside `buffered`, which counts all.',
    defaultText: `\`${MANIFEST_DEFAULTS.lateUpdates}\``,
  }),
  maxStaleness: optional(shape.maxStaleness.unwrap(), {
    description: 'How old an update may be that comes late. Only beside `lateUpdates: rebase` or `mode: buffered`.',
    unit: 'states',
    defaultText: String(MANIFEST_DEFAULTS.maxStaleness),
  }),
  overSelection: optional(shape.overSelection.unwrap(), {
    description:
      'Asks this many times clientsPerRound and closes once enough have delivered. Those left over have spent all the same.',
    defaultText: String(MANIFEST_DEFAULTS.overSelection),
  }),
  unit: optional(z.union([z.enum(['record', 'person']), unit]), {
    description:
      'Whom the budget protects: a record, or a person with all records. For persons each site names the column that tells them apart.',
    defaultText: '`record`',
  }),
  siteEvaluation: optional(siteEvaluation, {
    description:
      'Each site sets a share of its units aside, never trains on them in this run, and measures states on them. What leaves are noised counts, paid for by those units. `{}` for the usual terms.',
    defaultText: 'no evaluation at the sites',
  }),
  adaptiveClipping: optional(adaptiveClipping, {
    description:
      'Lets clipNorm follow a quantile of the norms, by noised votes. Leave the terms empty (`{}`) for the usual ones.',
    defaultText: 'clipNorm stays as it is',
  }),
  clientLevel: optional(clientLevel, {
    description:
      'A second guarantee, of whole sites against everyone but the coordinator, which adds the noise for it.',
    defaultText: 'none',
  }),
  startFrom: optional(startFrom, {
    description:
      'Goes on from the state of an earlier run of the same model, task, labels and adapter. What that run cost stays in the ledgers of its sites, and this one adds to it.',
    defaultText: 'a fresh state, by initialiser and seed',
  }),
  keep: optional(shape.keep.unwrap(), {
    description:
      'Which states stay once the run is over: `all`, `best` (and the newest) or `last:5`. States that the registry names stay in any case.',
    defaultText: 'as the coordinator is set (`FEDSVD_KEEP_STATES`)',
  }),
  seed: optional(shape.seed, {
    description: 'Public: of the first A and of who is asked, never of noise.',
    defaultText: `\`${starter.seed}\``,
  }),
} satisfies Record<keyof RunRequest, z.ZodType>

/** The labels of a task are checked here, where the file and the line are known; all else again by the coordinator. */
export const runConfigSchema = z.strictObject(fields).check(({ value, issues }) => {
  const { task = MANIFEST_DEFAULTS.task, labels = [], quorum, clientsPerRound } = value
  const fault = (path: string, message: string): void => {
    issues.push({ code: 'custom', path: [path], message, input: value })
  }
  if (predictsTokens(task)) {
    if (labels.length > 0) fault('labels', `${labels.length} labels, where ${task} has none; leave them out`)
  } else if (labels.length < 2) {
    fault('labels', `${labels.length} labels, where ${task} needs two or more: name every class`)
  } else if (new Set(labels).size < labels.length) {
    fault('labels', 'a label that stands here twice; name each class once')
  }
  if (quorum !== undefined && clientsPerRound !== undefined && quorum > clientsPerRound) {
    fault('quorum', `${quorum}, where at most clientsPerRound, ${clientsPerRound}, may be`)
  }
})
/** What the JSON schema is called. */
export const RUN_SCHEMA = { title: 'A run of fedsvd', id: 'run-configuration.schema.json' } as const

export type RunConfig = z.output<typeof runConfigSchema>
