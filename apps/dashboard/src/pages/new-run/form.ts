import { predictsTokens, type Task } from '@fedsvd/core/lora'
import {
  type AggregationOption,
  CHOICE_DEFAULTS,
  checkpointIdentitySchema,
  issueInWords,
  MANIFEST_DEFAULTS,
  type ModelList,
  type ModelView,
  type RunOptions,
  type RunRequest,
  runDefaults,
  runRequestSchema,
  STARTER_MODEL,
} from '@fedsvd/core/protocol'

/** The form as it is filled in; numbers may be half typed. */
export interface Form {
  readonly name: string
  readonly method: RunRequest['method']
  readonly initialiser: string
  readonly aggregation: string
  /** The terms of that rule. */
  readonly terms: Readonly<Record<string, number>>
  /** Of the list, or another one where the coordinator looks for it on a hub. */
  readonly model: string
  /** What `fedsvd model show` prints, where the coordinator cannot find it out itself. */
  readonly checkpoint: string
  readonly task: Task
  readonly maxTokens: number
  readonly featureScale: number
  readonly labels: readonly string[]
  readonly rank: number
  readonly alpha: number
  readonly headMode: 'trained' | 'frozen'
  readonly rounds: number
  readonly localSteps: number
  readonly expectedLotSize: number
  readonly clipNorm: number
  readonly unit: 'record' | 'person'
  /** Records of one person that are used at most; where the unit is a person. */
  readonly maxRecords: number
  readonly combine: 'mean' | 'sum'
  readonly learningRate: number
  readonly momentum: number
  readonly epsilon: number
  readonly delta: number
  readonly mode: 'synchronous' | 'buffered'
  readonly bufferSize: number
  readonly stalenessExponent: number
  readonly lateUpdates: 'reject' | 'rebase'
  readonly maxStaleness: number
  readonly overSelection: number
  readonly clientsPerRound: number
  readonly quorum: number
  readonly deadlineSeconds: number
  readonly seed: string
}

/** Of the field for a key, so that what is wrong with it leads there. */
export const fieldId = (key: string): string => `field-${key}`

export type SetField = <K extends keyof Form>(key: K, value: Form[K]) => void
/** What is wrong with a field, by its name. */
export type Faults = ReadonlyMap<string, string>

/** What is usual for a model and a task, as the fields of the form. */
function usual({ model, task }: Pick<Form, 'model' | 'task'>, longest?: number) {
  const { model: ofModel, adapter, target, ...others } = runDefaults({ model, task }, longest)
  const featureScale = ofModel.featureScale ?? MANIFEST_DEFAULTS.featureScale
  return { ...others, ...adapter, ...target, maxTokens: ofModel.maxTokens, featureScale } satisfies Partial<Form>
}

export const START: Form = {
  name: '',
  method: 'fedsvd',
  initialiser: MANIFEST_DEFAULTS.initialiser,
  aggregation: MANIFEST_DEFAULTS.aggregation.name,
  terms: {},
  checkpoint: '',
  task: MANIFEST_DEFAULTS.task,
  ...usual({ model: STARTER_MODEL, task: MANIFEST_DEFAULTS.task }),
  model: STARTER_MODEL,
  labels: ['ham', 'spam'],
  unit: MANIFEST_DEFAULTS.unit.kind,
  maxRecords: CHOICE_DEFAULTS.maxRecords,
  combine: CHOICE_DEFAULTS.combine,
  mode: MANIFEST_DEFAULTS.mode.name,
  bufferSize: CHOICE_DEFAULTS.bufferSize,
  stalenessExponent: CHOICE_DEFAULTS.stalenessExponent,
  lateUpdates: MANIFEST_DEFAULTS.lateUpdates,
  maxStaleness: MANIFEST_DEFAULTS.maxStaleness,
  overSelection: MANIFEST_DEFAULTS.overSelection,
  clientsPerRound: 3,
  quorum: 3,
}

/** The model that the form names; undefined for one that only a hub may have. */
export function modelOf({ model }: Form, { models }: ModelList): ModelView | undefined {
  return models.find(({ name }) => name === model)
}

/** Another model, and a task that it can be trained for; all else as with {@link withTask}. */
export function withModel(form: Form, name: string, list: ModelList): Form {
  const model = list.models.find((known) => known.name === name)
  const task = model === undefined || model.tasks.includes(form.task) ? form.task : (model.tasks[0] ?? form.task)
  const { maxTokens, ...after } = following(form, { ...form, model: name, task }, list)
  return { ...after, maxTokens: Math.min(maxTokens, model?.maxTokens ?? maxTokens) }
}

/** Another task: each field that still has its usual value has that of the new task, and what was typed stays. */
export function withTask(form: Form, task: Task, list: ModelList): Form {
  return following(form, { ...form, task }, list)
}

function following(before: Form, after: Form, list: ModelList): Form {
  const [old, now] = [before, after].map((form) => usual(form, modelOf(form, list)?.maxTokens))
  const kept = Object.keys(now!).filter((key) => before[key as keyof typeof now] !== old![key as keyof typeof old])
  return { ...after, ...now, ...Object.fromEntries(kept.map((key) => [key, before[key as keyof Form]])) }
}

/** The aggregation rule that the form names. */
export function ruleOf({ aggregation }: Form, { aggregationRules }: RunOptions): AggregationOption | undefined {
  return aggregationRules.find(({ name }) => name === aggregation)
}

/** Another aggregation rule: each of its terms begins at the least that it may be. */
export function withRule(form: Form, name: string, options: RunOptions): Form {
  const chosen = { ...form, aggregation: name }
  const terms = ruleOf(chosen, options)?.terms ?? []
  return { ...chosen, terms: Object.fromEntries(terms.map((term) => [term.name, term.minimum])) }
}

/**
 * The request, or what is wrong with each field, by the very schema that the coordinator checks with. What extensions
 * of the coordinator add is not known here, and is checked against what it says of them.
 */
export function checked(
  form: Form,
  list: ModelList,
  options: RunOptions,
): { readonly request?: RunRequest; readonly faults: Faults } {
  const faults = new Map<string, string>()
  const model = modelOf(form, list)
  const checkpoint = identityIn(form, model, faults)
  const asked = candidate(form, model?.name ?? form.model, checkpoint)
  const registered = chosenOf(form, options, faults)
  const result = runRequestSchema.safeParse(asked)
  for (const issue of result.error?.issues ?? []) {
    const [first, second] = issue.path
    const isNested =
      first === 'model' || first === 'adapter' || first === 'target' || first === 'mode' || first === 'unit'
    faults.set(
      first === 'model' && second === 'name' ? 'model' : String(isNested ? second : first),
      issueInWords(issue, asked),
    )
  }
  crossChecks(form, model, faults)
  return { faults, ...(result.success && faults.size === 0 && { request: { ...result.data, ...registered } }) }
}

/** What is sent: nothing that the task, the mode or the unit has no use for. */
function candidate(form: Form, name: string, checkpoint: unknown): unknown {
  const { task, labels, featureScale, maxTokens, rank, alpha, headMode, epsilon, delta } = form
  const { rounds, localSteps, expectedLotSize, clipNorm, learningRate, momentum } = form
  const { clientsPerRound, quorum, deadlineSeconds, seed } = form
  const scale = task === 'sequence-classification' ? { featureScale } : {}
  return {
    name: form.name,
    method: START.method, // stands for the method that was chosen, which the schema may not know here
    ...inTime(form),
    model: { name, maxTokens, ...scale, ...(checkpoint !== undefined && { checkpoint }) },
    ...(task !== MANIFEST_DEFAULTS.task && { task }),
    labels: predictsTokens(task) ? [] : [...labels],
    adapter: { rank, alpha, headMode },
    rounds,
    localSteps,
    ...(form.unit === 'person' && {
      unit: { kind: 'person', maxRecords: form.maxRecords, combine: form.combine },
    }),
    expectedLotSize,
    clipNorm,
    learningRate,
    momentum,
    target: { epsilon, delta },
    clientsPerRound,
    quorum,
    deadlineSeconds,
    seed,
  }
}

/** What is registered at the coordinator under a name; what is usual is left out, and buffers know the mean alone. */
function chosenOf(
  form: Form,
  options: RunOptions,
  faults: Map<string, string>,
): Pick<RunRequest, 'method' | 'initialiser' | 'aggregation'> {
  const { method, initialiser, aggregation, terms, mode } = form
  const isUsual = mode === 'buffered' || aggregation === MANIFEST_DEFAULTS.aggregation.name
  if (!isUsual) {
    for (const { name, minimum, maximum, isWhole } of ruleOf(form, options)?.terms ?? []) {
      const value = terms[name] ?? Number.NaN
      const fits = value >= minimum && value <= maximum && (!isWhole || Number.isInteger(value))
      if (!fits) faults.set(termKey(name), `${isWhole ? 'A whole number from' : 'From'} ${minimum} to ${maximum}`)
    }
  }
  return {
    method,
    ...(initialiser !== MANIFEST_DEFAULTS.initialiser && { initialiser }),
    ...(!isUsual && { aggregation: { name: aggregation, ...terms } }),
  }
}

/** Under which a fault of a term of the aggregation rule is kept. */
export const termKey = (name: string): string => `aggregation.${name}`

/** How it goes from state to state; what is usual is left out. */
function inTime({ mode, bufferSize, stalenessExponent, lateUpdates, maxStaleness, overSelection }: Form) {
  if (mode === 'buffered') return { mode: { name: mode, bufferSize, stalenessExponent }, maxStaleness }
  return {
    ...(lateUpdates === 'rebase' && { lateUpdates, maxStaleness }),
    ...(overSelection !== MANIFEST_DEFAULTS.overSelection && { overSelection }),
  }
}

function identityIn({ checkpoint }: Form, model: ModelView | undefined, faults: Map<string, string>): unknown {
  if (model?.isComplete !== false) return undefined
  try {
    return checkpointIdentitySchema.parse(JSON.parse(checkpoint))
  } catch {
    faults.set('checkpoint', 'Three SHA-256 as JSON: config, tensors and tokenizer')
    return undefined
  }
}

/** What fields have to do with each other, in the words of the form. */
function crossChecks(form: Form, model: ModelView | undefined, faults: Map<string, string>): void {
  const { task, labels, quorum, clientsPerRound, mode, bufferSize, maxTokens } = form
  if (quorum > clientsPerRound) faults.set('quorum', `At most ${clientsPerRound}, as many as are asked`)
  else if (mode === 'buffered' && quorum > bufferSize) faults.set('quorum', `At most ${bufferSize}, the buffer size`)
  if (!predictsTokens(task)) {
    if (labels.length < 2) faults.set('labels', 'Two or more')
    if (new Set(labels).size < labels.length) faults.set('labels', 'Name each class once')
  }
  if (model !== undefined && maxTokens > model.maxTokens) {
    faults.set('maxTokens', `At most ${model.maxTokens} for ${model.name}`)
  }
  if (model !== undefined && !model.tasks.includes(task)) faults.set('task', `${model.name} cannot be trained for it`)
}
