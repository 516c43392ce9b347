import { createHash } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { LIMITS, type RunRequest, resolveManifest, runRequestSchema } from '@fedsvd/core/protocol'
import type { ReadOptions } from '@fedsvd/engine/datasets'
import type { ModelSettings } from '@fedsvd/engine/models'
import { type RunConfig, runRequestOf } from '../run-config/index.ts'
import { type ExperimentConfig, type Point, settingsOf } from './experiment-config.ts'
import { type Partition, partitionText } from './partition.ts'
import type { Declaring } from './sites.ts'

/** What the states are measured on. */
export type HoldOut = { readonly files: readonly string[] } | { readonly share: number }

/** Everything that decides what an experiment comes to, and what it computes with; plain data, for other processes. */
export interface Experiment {
  readonly config: ExperimentConfig
  /** In place of the method of the configuration. */
  readonly methods: readonly string[]
  readonly seeds: readonly number[]
  readonly data: readonly string[]
  readonly reading: ReadOptions
  readonly holdOut: HoldOut
  readonly partition: Partition
  readonly clients?: number | undefined
  readonly declared: Declaring
  readonly models: ModelSettings
  readonly extension: readonly string[]
  readonly threads: number
}

/** One federation of an experiment: a setting under a seed. */
export interface Cell {
  /** Names what it comes to: another content, another name. */
  readonly id: string
  readonly point: Point
  readonly seed: number
  readonly request: RunRequest
}

/** What the cells are made of besides their requests. */
export interface CellFacts {
  /** Of the training data, and of the hold-out where it is files of its own. */
  readonly fingerprints: readonly string[]
  /** Sites of each seed: what is left for training may have fewer values of a column under one than under another. */
  readonly sites: ReadonlyMap<number, number>
  /** The longest text of each model, in tokens. */
  readonly maxTokens: ReadonlyMap<string, number>
}

/** Raised where the same cell would come to something else than before. */
const FORMAT = 1
/** More than anybody waits for. */
const MOST_CELLS = 100_000

/**
 * All cells, seed by seed, so that every setting has run under the first seeds when one breaks off.
 *
 * @throws FedsvdError CONFIG_INVALID for a setting that is none
 */
export function cellsOf(experiment: Experiment, { fingerprints, sites, maxTokens }: CellFacts): readonly Cell[] {
  const { config, methods, seeds, partition, declared, holdOut } = experiment
  const settings = settingsOf(config, methods)
  if (settings.length * seeds.length > MOST_CELLS) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `at most ${MOST_CELLS} cells`,
      got: `${settings.length} settings under ${seeds.length} seeds`,
      remedy: 'Try fewer values at a time.',
    })
  }
  return seeds.flatMap((seed) =>
    settings.map(({ point, config: run }) => {
      const clients = sites.get(seed)!
      const request = requestFor(run, { clients, maxTokens, seed })
      requireClients(request, clients)
      requireSimulated(request)
      const { name: _name, ...terms } = request
      const shared = { partition: partitionText(partition), clients, declared, fingerprints, seed }
      const aside = 'share' in holdOut ? { share: holdOut.share } : {}
      return { id: nameOf({ format: FORMAT, terms, ...shared, ...aside }), point, seed, request }
    }),
  )
}

/** The request of a setting under a seed. @throws FedsvdError CONFIG_INVALID */
export function requestFor(
  run: RunConfig,
  { clients, maxTokens, seed }: { clients: number; maxTokens: CellFacts['maxTokens']; seed: number },
): RunRequest {
  const longest = maxTokens.get(modelOf(run))
  const model = longest === undefined ? {} : { model: { maxTokens: longest, tasks: [] } }
  return requireRequest({
    ...runRequestOf(run, { clients, ...model }),
    deadlineSeconds: LIMITS.deadlineSeconds.most,
    seed: `${run.seed ?? 'simulation'}/${seed}`,
  })
}

/** The name of the model of a configuration. */
export function modelOf({ model }: RunConfig): string {
  return typeof model === 'string' ? model : model.name
}

/** @throws FedsvdError CONFIG_INVALID */
function requireRequest(request: RunRequest): RunRequest {
  const found = runRequestSchema.safeParse(request)
  if (found.success) return found.data
  const [issue] = found.error.issues
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a run that a coordinator takes',
    got: `${issue?.path.join('.') ?? 'a value'}: ${issue?.message ?? 'not valid'}`,
    remedy: 'Correct the configuration, or --method.',
  })
}

/** @throws FedsvdError CONFIG_INVALID for a round that asks more sites than there are */
function requireClients(request: RunRequest, clients: number): void {
  const asked = Math.ceil(request.clientsPerRound * resolveManifest(request).overSelection)
  if (asked <= clients) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `at most ${clients} clients in a round, as many as are simulated`,
    got: `${asked}, by clientsPerRound and overSelection`,
    remedy: 'Lower clientsPerRound in the configuration, or raise --clients.',
  })
}

/** @throws FedsvdError CONFIG_INVALID for what a simulated site does not do */
function requireSimulated({ siteEvaluation }: RunRequest): void {
  if (siteEvaluation === undefined) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a run that is measured on the hold-out alone, as simulated sites keep no records back',
    got: 'siteEvaluation in the configuration',
    remedy: 'Leave it out: the accuracy of a simulation is that on the hold-out.',
  })
}

function nameOf(content: object): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 20)
}

/** Updates that a cell takes: what its progress is told in. */
export function updatesOf({ request: { rounds, clientsPerRound, mode } }: Cell): number {
  return rounds * (mode?.name === 'buffered' ? mode.bufferSize : clientsPerRound)
}
