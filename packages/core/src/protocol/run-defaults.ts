import { predictsTokens, type Task } from '../lora/index.ts'
import type { RunManifest } from './manifest.ts'

/** The choices of a new run that have a usual value. */
export type RunDefaults = Pick<
  RunManifest,
  | 'rounds'
  | 'localSteps'
  | 'expectedLotSize'
  | 'clipNorm'
  | 'learningRate'
  | 'momentum'
  | 'target'
  | 'deadlineSeconds'
  | 'seed'
> & {
  readonly model: Pick<RunManifest['model'], 'maxTokens' | 'featureScale'>
  readonly adapter: { readonly rank: number; readonly alpha: number; readonly headMode: 'trained' | 'frozen' }
}

/** The model that comes with fedsvd, whose usual values were tuned: docs/log.md has the sweeps. */
export const STARTER_MODEL = 'starter'

/** Terms of what is optional, once it is chosen. */
export const CHOICE_DEFAULTS = {
  /** Of mode `buffered` (FedBuff, Nguyen et al. 2022). */
  bufferSize: 10,
  stalenessExponent: 0.5,
  /** Of unit `person`. */
  maxRecords: 16,
  combine: 'mean',
  /** Of a clip norm that adapts (Andrew et al. 2021): the median, e^0.2 a round at most, a tenth of the budget. */
  quantile: 0.5,
  clipLearningRate: 0.2,
  countShare: 0.1,
  /** Of an evaluation at the sites: a tenth of the units, after each round. */
  validationShare: 0.1,
  evaluationEvery: 1,
} as const

const COMMON = {
  localSteps: 5,
  /** Sites that declare fewer records than this stay out. */
  expectedLotSize: 128,
  momentum: 0,
  /** delta: one over the records of a site at most, so sites of up to 100,000 records can take part. */
  target: { epsilon: 6, delta: 1e-5 },
  deadlineSeconds: 600,
  seed: 'fedsvd',
  adapter: { rank: 8, alpha: 8, headMode: 'trained' },
} as const

/**
 * What the starter learns with: its features are scaled by ten, so that head and adapters share one clip norm, and its
 * gradients are small, so that steps are large.
 */
const STARTER = { rounds: 6, clipNorm: 0.5, learningRate: 12, featureScale: 10 } as const

/** A pretrained checkpoint: norms of its gradients are about one, and smaller steps keep what it knows. */
const CHECKPOINT = { rounds: 10, clipNorm: 1, learningRate: 0.5 } as const

/** Where tokens are predicted there is no head to be trained from nothing. */
const PREDICTS_TOKENS = { ...CHECKPOINT, learningRate: 0.2 } as const

/** Longer inputs cost time with each token; most labels are decided within so many. */
const USUAL_TOKENS: Readonly<Record<Task, number>> = {
  'sequence-classification': 128,
  'token-classification': 128,
  'causal-lm': 256,
  'instruction-tuning': 256,
}

/**
 * The usual values of a run, by its model and task: the one home that the command line, the dashboard and the demo
 * share. Where they are no good for a task, the first to change are learningRate and rounds.
 *
 * @param longest the most tokens that the model reads, where that is known
 * @example runDefaults({ model: 'starter', task: 'sequence-classification' }).learningRate // 12
 */
export function runDefaults(
  { model, task }: { readonly model: string; readonly task: Task },
  longest = Infinity,
): RunDefaults {
  const isStarter = model === STARTER_MODEL
  const { rounds, clipNorm, learningRate } = isStarter ? STARTER : predictsTokens(task) ? PREDICTS_TOKENS : CHECKPOINT
  const maxTokens = Math.min(USUAL_TOKENS[task], longest)
  return {
    ...COMMON,
    rounds,
    clipNorm,
    learningRate,
    model: { maxTokens, ...(isStarter && { featureScale: STARTER.featureScale }) },
  }
}

/**
 * How many updates close a round where nobody has said it: seven in ten of the clients that are asked, so that one that
 * is lost does not hold up the others.
 */
export function usualQuorum(clientsPerRound: number): number {
  return Math.max(1, Math.ceil(0.7 * clientsPerRound))
}
