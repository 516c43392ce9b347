import { DEFAULT_TASK, predictsTokens, type Task } from '@fedsvd/core/lora'
import { wilsonInterval } from '@fedsvd/core/metrics'
import { literal, markdownTable, plainText } from './markdown.ts'
import type { RunFacts, SitePrivacy } from './run-facts.ts'
import type { TrainedState } from './trained-state.ts'
import { pipelineOf, type Usage, usageOf } from './usage.ts'

export interface CardRequest {
  readonly facts: RunFacts
  readonly usage: Usage
  readonly trained: Pick<TrainedState, 'task' | 'schema' | 'labels' | 'maxTokens'>
}

/** README.md of an export: what the model is, how it is used, what it was trained on and how, privacy, and quality. */
export function modelCard({ facts, usage, trained }: CardRequest): string {
  const sections = [
    `# ${plainText(facts.name)}`,
    intro(facts, trained),
    `## Use\n\nThe folder is called \`model\` here.\n\n${usageOf(usage)}`,
    `## Data\n\n${dataOf(facts, trained)}`,
    `## Method\n\n${methodOf(facts, trained)}`,
    `## Privacy\n\n${privacyOf(facts)}`,
    `## Quality\n\n${qualityOf(facts, trained.task)}`,
  ]
  return `${frontMatter(facts, usage)}\n${sections.join('\n\n')}\n`
}

const LIBRARIES = { peft: 'peft', merged: 'transformers', onnx: 'transformers.js' } as const

function frontMatter({ model }: RunFacts, { format, task, isCode }: Usage): string {
  const [path] = model.split('@') as [string]
  const lines = [
    `library_name: ${isCode && format !== 'onnx' ? 'fedsvd' : LIBRARIES[format]}`,
    `pipeline_tag: ${pipelineOf(task)}`,
    ...(path.includes('/') ? [`base_model: ${literal(path)}`] : []),
    'tags: [fedsvd, federated-learning, differential-privacy, lora]',
  ]
  return `---\n${lines.join('\n')}\n---\n`
}

const GOALS: Readonly<Record<Task, string>> = {
  'sequence-classification': 'gives a text, or a pair of texts, one of its labels',
  'token-classification': 'gives each word of a text one of its tags',
  'causal-lm': 'continues texts',
  'instruction-tuning': 'answers prompts',
}

function intro(
  { model, runId, rounds }: RunFacts,
  { task = DEFAULT_TASK, labels, maxTokens }: CardRequest['trained'],
): string {
  const named = labels.length > 0 ? ` Labels: ${labels.map(plainText).join(', ')}.` : ''
  const cut =
    maxTokens === undefined ? '' : ` It was trained on texts of at most ${maxTokens} tokens; longer ones are cut.`
  return `A model that ${GOALS[task]}: ${plainText(model)}, fine-tuned by a federation under differential privacy (run \`${runId}\`, after ${rounds} rounds).${named}${cut}`
}

function dataOf({ privacy }: RunFacts, { task = DEFAULT_TASK }: CardRequest['trained']): string {
  const sites = [...new Set(privacy.map(({ name }) => name))]
  const named = sites.length === 0 ? 'no site that has trained' : `${sites.length}: ${sites.map(plainText).join(', ')}`
  return `Records for ${task}, which each site kept at home and declared fit for this use. Sites: ${named}. Nobody but the sites has seen a record; how many there are, and what they say, is not known here. What the sites' records do not have, the model has not learned: who uses it elsewhere should evaluate it there.`
}

function methodOf({ method, training }: RunFacts, { schema }: CardRequest['trained']): string {
  const { localSteps, expectedLotSize, clipNorm, learningRate, momentum, clientsPerRound, target } = training
  const rows = [
    ['method', plainText(method)],
    ['adapters', `LoRA of rank ${schema.rank}, alpha ${schema.alpha}, on ${schema.layers.length} linear layers`],
    ['head', schema.head.length === 0 ? 'none' : schema.headMode],
    ['sites in a round', String(clientsPerRound)],
    ['private steps of a site in a round', String(localSteps)],
    ['expected lot', `${expectedLotSize}, drawn by Poisson sampling`],
    ['clip norm', String(clipNorm)],
    ['learning rate', String(learningRate)],
    ['momentum', String(momentum)],
    ['target of a site', `epsilon ${target.epsilon}, delta ${short(target.delta)}`],
  ]
  return `DP-SGD at each site on LoRA adapters; the coordinator averages the noised updates and, where the method is fedsvd, re-factorises the adapters by SVD ([arXiv 2505.12805](https://arxiv.org/abs/2505.12805)).\n\n${markdownTable(['term of the run', 'value'], rows)}`
}

const NOT_CLAIMED = [
  'Protection of a person with several records, where the unit is the record; of a site as a whole, unless a line of the table has the unit client.',
  'Protection under replacing one unit: it costs up to twice as much as adding or removing one.',
  'Anything about the base model, the public records it was evaluated on, or the choice of the terms above.',
  'Protection from whoever controls the machine of a site. Times of release, where a site has switched the slots off.',
  'That the model is right, fair or robust: one dishonest site can spoil it.',
]

function privacyOf(facts: RunFacts): string {
  return [statementOf(facts), originOf(facts)].filter((part) => part !== '').join('\n\n')
}

/** Who else is in the model than the sites of its own run. */
function originOf({ startFrom }: RunFacts): string {
  if (startFrom === undefined) return ''
  const { runId, rounds } = startFrom
  return `The run went on from the state of run \`${runId}\` after ${rounds} rounds, so that the model tells of the sites of that run, too: what they are promised is in that run's own statement. A site of both has one budget over both.`
}

function statementOf({ privacy, notPrivate }: RunFacts): string {
  if (notPrivate !== undefined) {
    return `**Not private.** No epsilon of this run holds: ${plainText(notPrivate)}`
  }
  if (privacy.length === 0) return 'No site has trained: the model tells nothing about anybody’s records.'
  const row = ({ name, unit, budget, delta, epsilonUpperBound, adversary }: SitePrivacy): string[] => [
    plainText(name),
    unit,
    rounded(budget),
    short(delta),
    rounded(epsilonUpperBound),
    plainText(adversary),
  ]
  const headings = ['site', 'unit', 'epsilon (the budget)', 'delta', 'spent by then, at most', 'against']
  return `For each site, what left it is (epsilon, delta)-differentially private under adding or removing one unit of its data, and so is this model, which is computed of nothing else. The guarantee is the budget, over all that the site's ledger counts; what was spent is an upper bound at the time of the export.

${markdownTable(headings, privacy.map(row))}

Not claimed:

${NOT_CLAIMED.map((line) => `- ${line}`).join('\n')}`
}

/** A delta as people write it, such as 1e-5. */
function short(delta: number): string {
  return delta < 0.001 ? delta.toExponential() : String(delta)
}

/** An epsilon as people read it, never smaller than it is. */
function rounded(epsilon: number): string {
  return String(Math.ceil(epsilon * 1000) / 1000)
}

function qualityOf(facts: RunFacts, task?: Task): string {
  return [...measuredAtSites(facts), measuredByCoordinator(facts, task)].join('\n\n')
}

function measuredAtSites({ atSites }: RunFacts): readonly string[] {
  if (atSites === undefined) return []
  const { accuracy, interval } = atSites
  const range = `${interval.low.toFixed(4)} to ${interval.high.toFixed(4)}`
  return [
    `At the sites, on units that none of them trains on and by counts with noise: accuracy ${accuracy.toFixed(4)} (95 %: ${range}).`,
  ]
}

function measuredByCoordinator({ evaluation, majority }: RunFacts, task: Task = DEFAULT_TASK): string {
  if (evaluation === undefined)
    return 'Not measured by the coordinator. `fedsvd evaluate model --data FILE` measures it.'
  const { accuracy, loss, records, microF1 } = evaluation
  const { low, high } = wilsonInterval(accuracy * records, records)
  const isOfTexts = task === 'sequence-classification'
  const rows = [
    ['accuracy', `${accuracy.toFixed(4)}${isOfTexts ? ` (95 %: ${low.toFixed(4)} to ${high.toFixed(4)})` : ''}`],
    ...(majority === undefined ? [] : [['majority-class baseline', majority.toFixed(4)]]),
    ...(microF1 === undefined ? [] : [['micro-F1 over all tags but O', microF1.toFixed(4)]]),
    ['mean cross-entropy', `${loss.toFixed(4)} nats`],
    ...(predictsTokens(task) ? [['perplexity', Math.exp(loss).toFixed(2)]] : []),
  ]
  return `On ${records} public records of the coordinator.\n\n${markdownTable(['measure', 'value'], rows)}`
}
