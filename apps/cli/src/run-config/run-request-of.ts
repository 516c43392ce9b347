import {
  CHOICE_DEFAULTS,
  MANIFEST_DEFAULTS,
  type ModelView,
  type RunRequest,
  runDefaults,
  usualQuorum,
} from '@fedsvd/core/protocol'
import type { RunConfig } from './schema.ts'

/** What is known of the coordinator that will run it. */
export interface RunFacts {
  /** Sites that are enrolled there and in good standing. */
  readonly clients: number
  /** The model that the run names, where the coordinator has it. */
  readonly model?: Pick<ModelView, 'maxTokens' | 'tasks'>
}

/** The request for the run that a configuration describes: what it leaves out has its usual value. */
export function runRequestOf(config: RunConfig, { clients, model: known }: RunFacts): RunRequest {
  const {
    model,
    task = MANIFEST_DEFAULTS.task,
    labels = [],
    target,
    adapter,
    unit,
    mode,
    aggregation,
    startFrom,
    ...rest
  } = config
  const { adaptiveClipping, clientLevel, siteEvaluation, clientsPerRound = Math.max(1, clients), ...asked } = rest
  const named = typeof model === 'string' ? { name: model } : model
  const usual = runDefaults({ model: named.name, task }, known?.maxTokens)
  const { model: modelDefaults, adapter: adapterDefaults, target: targetDefaults, ...defaults } = usual
  const modeTerms = modeOf(mode)
  const least = usualQuorum(clientsPerRound)
  const scale = task === 'sequence-classification' ? modelDefaults : { maxTokens: modelDefaults.maxTokens }
  return {
    ...defaults,
    method: 'fedsvd',
    clientsPerRound,
    quorum: modeTerms?.name === 'buffered' ? Math.min(least, modeTerms.bufferSize) : least,
    ...asked,
    ...(task !== MANIFEST_DEFAULTS.task && { task }),
    labels,
    model: { ...scale, ...named },
    target: { ...targetDefaults, ...target },
    adapter: { ...adapterDefaults, ...adapter },
    ...unitOf(unit),
    ...(startFrom && { startFrom: startFromOf(startFrom) }),
    ...(aggregation !== undefined && { aggregation: ruleOf(aggregation) }),
    ...(modeTerms && { mode: modeTerms }),
    ...(adaptiveClipping && { adaptiveClipping: clippingOf(adaptiveClipping) }),
    ...(clientLevel && { clientLevel: clientLevelOf(clientLevel) }),
    ...(siteEvaluation && {
      siteEvaluation: {
        share: CHOICE_DEFAULTS.validationShare,
        every: CHOICE_DEFAULTS.evaluationEvery,
        ...siteEvaluation,
      },
    }),
  }
}

function modeOf(mode: RunConfig['mode']): RunRequest['mode'] {
  const terms = typeof mode === 'string' ? { name: mode } : mode
  if (terms?.name !== 'buffered') return undefined
  const { bufferSize, stalenessExponent } = CHOICE_DEFAULTS
  return { bufferSize, stalenessExponent, ...terms }
}

/** People count rounds from 1, the wire from 0. */
function startFromOf({ run, round }: NonNullable<RunConfig['startFrom']>): NonNullable<RunRequest['startFrom']> {
  return { runId: run, ...(round !== undefined && { round: round === 'best' ? round : round - 1 }) }
}

function ruleOf(aggregation: NonNullable<RunConfig['aggregation']>): NonNullable<RunRequest['aggregation']> {
  return typeof aggregation === 'string' ? { name: aggregation } : { ...aggregation, name: String(aggregation.name) }
}

function unitOf(unit: RunConfig['unit']): Pick<RunRequest, 'unit'> {
  if (unit === undefined || unit === 'record') return {}
  const { maxRecords, combine } = CHOICE_DEFAULTS
  return { unit: { maxRecords, combine, ...(unit === 'person' ? {} : unit), kind: 'person' } }
}

function clippingOf(given: NonNullable<RunConfig['adaptiveClipping']>): NonNullable<RunRequest['adaptiveClipping']> {
  const { quantile, clipLearningRate, countShare } = CHOICE_DEFAULTS
  return { quantile, learningRate: clipLearningRate, countShare, ...given }
}

function clientLevelOf({
  adaptiveClipping,
  ...given
}: NonNullable<RunConfig['clientLevel']>): NonNullable<RunRequest['clientLevel']> {
  return { ...given, ...(adaptiveClipping && { adaptiveClipping: clippingOf(adaptiveClipping) }) }
}
