import { z } from 'zod'
import { aggregationRules, methods } from '../federation/index.ts'
import { LIMITS, numberIn, wholeIn } from '../limits/index.ts'
import { initialisers, TASKS } from '../lora/index.ts'
import { registeredName, registeredTerms } from '../registry/index.ts'
import { identifierSchema } from './identifier.ts'

const name = z.string().min(1).max(200)
const tensorSpec = z.strictObject({ name, shape: z.array(wholeIn(LIMITS.dimension)).max(4) })

/** Names a stored object. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)

/**
 * What a checkpoint holds, wherever it lies: hex SHA-256 of `config.json`, of the tensors (names, element types, shapes
 * and bytes, however they are spread over files) and of the tokenizer's files.
 */
export const checkpointIdentitySchema = z.strictObject({ config: sha256Hex, tensors: sha256Hex, tokenizer: sha256Hex })
export type CheckpointIdentity = z.infer<typeof checkpointIdentitySchema>

export const adapterSchemaSchema = z.strictObject({
  rank: wholeIn(LIMITS.rank),
  alpha: numberIn(LIMITS.alpha),
  layers: z
    .array(z.strictObject({ name, dIn: wholeIn(LIMITS.dimension), dOut: wholeIn(LIMITS.dimension) }))
    .min(1)
    .max(10_000),
  head: z.array(tensorSpec).max(16),
  headMode: z.enum(['trained', 'frozen']),
})

/** (epsilon, delta) of one data set; epsilon is an upper bound under record-level add-or-remove-one. */
export const budgetSchema = z.strictObject({ epsilon: numberIn(LIMITS.epsilon), delta: numberIn(LIMITS.delta) })
export type Budget = z.infer<typeof budgetSchema>

/**
 * A clip norm that follows a quantile of the norms by noised votes (Andrew et al. 2021); absent: it stays as it is.
 * `quantile` is the share of norms that should lie under it, `learningRate` how fast it moves, `countShare` the part of
 * the mechanism's budget that the votes take. The votes are inside the same event: epsilon is what it would be without
 * them.
 */
export const adaptiveClippingSchema = z.strictObject({
  quantile: numberIn(LIMITS.quantile),
  learningRate: numberIn(LIMITS.clipLearningRate),
  countShare: numberIn(LIMITS.countShare),
})

/**
 * Differential privacy of whole clients, by noise that the coordinator adds to the mean: a second guarantee beside the
 * record-level one, which stays as it is. Absent: there is none. `clipNorm` bounds one client's delta in one flat norm;
 * the budget covers everything that the coordinator has charged to a client at this level, in all of its runs.
 */
export const clientLevelSchema = z.strictObject({
  clipNorm: numberIn(LIMITS.clipNorm),
  noiseMultiplier: numberIn(LIMITS.noiseMultiplier),
  budget: budgetSchema,
  adaptiveClipping: adaptiveClippingSchema.optional(),
})
export type ClientLevel = z.infer<typeof clientLevelSchema>

/**
 * The unit of privacy of a run, where it is not a record: a person, or whatever the site's unit column names. Absent:
 * one record. Lots are drawn of units, `expectedLotSize` and the declared count are of units, and one unit's vector is
 * clipped.
 */
export const unitSchema = z.strictObject({
  kind: z.literal('person'),
  /** Of a unit with more records, the first so many in the order of the file are used; the others never. Public. */
  maxRecords: wholeIn(LIMITS.recordsPerUnit),
  /** How the gradients of a unit's records become its vector, before it is clipped. */
  combine: z.enum(['mean', 'sum']),
})
export type RunUnit = z.infer<typeof unitSchema>

/**
 * Evaluation at the sites; absent: there is none. Each site sets a share of its units aside, which it never trains on
 * in this run, and every so many rounds measures on them the state that the round starts from. What leaves it are
 * counts with the noise of `noiseMultiplier`, paid for out of the same budget: each unit is either trained on or
 * counted. With `patience`, so many evaluations without a better one end the run.
 */
export const siteEvaluationSchema = z.strictObject({
  share: numberIn(LIMITS.validationShare),
  every: wholeIn(LIMITS.rounds),
  noiseMultiplier: numberIn(LIMITS.noiseMultiplier),
  patience: wholeIn(LIMITS.rounds).optional(),
})

/** How the updates of a round become one: the name of an `AggregationRule` and its terms. */
export const aggregationSchema = registeredTerms(aggregationRules)

/**
 * How a run goes from state to state. `synchronous`: round by round. `buffered` (FedBuff, Nguyen et al. 2022): clients
 * train from the newest published state, each on its own time, and every `bufferSize` accepted updates make the next
 * state. An update that is s states old by then counts with weight (1 + s)^-stalenessExponent, a public number.
 */
export const modeSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('synchronous') }),
  z.strictObject({
    name: z.literal('buffered'),
    bufferSize: wholeIn(LIMITS.clients),
    stalenessExponent: numberIn(LIMITS.stalenessExponent),
  }),
])
export type Mode = z.infer<typeof modeSchema>

/**
 * Everything about a run that is public and fixed before the first round. Clients bind it in their ledgers by its hash:
 * a run whose manifest changes afterwards is refused. What a field that is absent means: see `resolveManifest`.
 */
export const runManifestSchema = z.strictObject({
  runId: identifierSchema,
  name,
  /**
   * The name of a `Method`: `fedsvd` re-factorises after each aggregation; `ffa-lora` keeps A frozen (the baseline).
   */
  method: registeredName(methods),
  /** The name of an `Initialiser`, which draws the first A. Absent: `orthonormal`. */
  initialiser: registeredName(initialisers).optional(),
  aggregation: aggregationSchema.optional(),
  mode: modeSchema.optional(),
  /**
   * What becomes of an update that comes when its round has closed without it: `reject`, or `rebase`: it
   * is moved to the basis of the round under way and counted there. A buffered run always does the latter.
   */
  lateUpdates: z.enum(['reject', 'rebase']).optional(),
  /** How many states old a late update may be. */
  maxStaleness: wholeIn(LIMITS.staleness).optional(),
  /** Asks this many times clientsPerRound, and closes a round once clientsPerRound have delivered. */
  overSelection: numberIn(LIMITS.overSelection).optional(),
  model: z.strictObject({
    /** The frozen checkpoint: `starter`, or the name under which each side finds one in its own model folder. */
    name,
    /** What that checkpoint must hold; absent for `starter`, which is part of fedsvd. Whoever finds another refuses. */
    checkpoint: checkpointIdentitySchema.optional(),
    /** Longer inputs are cut to this many tokens. */
    maxTokens: wholeIn(LIMITS.tokens),
    /**
     * Multiplies the encoder's output before the head sees it. It decides how the one clip norm is
     * shared: the head's gradient grows with it, that of B does not.
     */
    featureScale: numberIn(LIMITS.featureScale).optional(),
  }),
  /** What the model is trained for. */
  task: z.enum(TASKS).optional(),
  /** Names of the classes or tags, two or more; the index is the label. None where the task predicts tokens. */
  labels: z.array(name).max(10_000),
  adapter: adapterSchemaSchema,
  rounds: wholeIn(LIMITS.rounds),
  /** Local DP-SGD steps of one client in one round (tau). */
  localSteps: wholeIn(LIMITS.localSteps),
  unit: unitSchema.optional(),
  siteEvaluation: siteEvaluationSchema.optional(),
  /** Expected size of a Poisson lot, in units; a client's sampleRate is this over its declared number of units. */
  expectedLotSize: wholeIn(LIMITS.lotSize),
  clipNorm: numberIn(LIMITS.clipNorm),
  learningRate: numberIn(LIMITS.learningRate),
  /** Heavy-ball momentum on the noised gradients; 0 is plain SGD. */
  momentum: numberIn(LIMITS.momentum),
  /** What the run asks each client to spend at most; a client's own limit always wins. */
  target: budgetSchema,
  /**
   * The most noise that a site may take part with, as a multiple of what it would need with an untouched budget under
   * the target. A site whose budget is nearly spent would need more, and stays out.
   */
  maxNoiseRatio: numberIn(LIMITS.noiseRatio).optional(),
  clientLevel: clientLevelSchema.optional(),
  /** Moves the record-level clipNorm, of which the manifest has the first, once per round and for all clients alike. */
  adaptiveClipping: adaptiveClippingSchema.optional(),
  /** Clients selected per round, and how many updates close a round. */
  clientsPerRound: wholeIn(LIMITS.clients),
  quorum: wholeIn(LIMITS.clients),
  deadlineSeconds: numberIn(LIMITS.deadlineSeconds),
  /** Seed of the public initialisation of A and of the head. */
  seed: z.string().min(1).max(200),
  /**
   * The published state that the run goes on from: that after this round of an earlier run of the coordinator, and the
   * hash by which it was published there. Absent: a fresh one, by initialiser and seed. What it cost those who trained
   * it is in their ledgers; nothing more is spent by reading it.
   */
  startFrom: z.strictObject({ runId: identifierSchema, round: wholeIn(LIMITS.count), sha256: sha256Hex }).optional(),
})
export type RunManifest = z.infer<typeof runManifestSchema>

/** What a client promises for a whole run: constants that it chose itself and that never change afterwards. */
export const privacyTermsSchema = z.strictObject({
  /**
   * A public constant declared by the site, not the true size of its data: of records, or of persons where they are the
   * unit.
   */
  declaredRecords: wholeIn(LIMITS.declaredRecords),
  sampleRate: numberIn(LIMITS.sampleRate),
  noiseMultiplier: numberIn(LIMITS.noiseMultiplier),
  budget: budgetSchema,
})
export type PrivacyTerms = z.infer<typeof privacyTermsSchema>

export const privacyEventSchema = z.strictObject({
  mechanism: z.literal('poisson-subsampled-gaussian'),
  sampleRate: numberIn(LIMITS.sampleRate),
  noiseMultiplier: numberIn(LIMITS.noiseMultiplier),
  steps: wholeIn(LIMITS.localSteps),
  clipNorm: numberIn(LIMITS.clipNorm),
  relation: z.literal('add-or-remove-one'),
  unit: z.enum(['record', 'person', 'client']),
})
