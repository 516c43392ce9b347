import { unitOfRun } from '../accounting/index.ts'
import { DEFAULT_INITIALISER, DEFAULT_TASK } from '../lora/index.ts'
import type { Mode, RunManifest, RunUnit } from './manifest.ts'

/** The unit of a run that names none: one record. */
export interface RecordUnit {
  readonly kind: 'record'
  readonly maxRecords: 1
  /** Of one vector, mean and sum are the same. */
  readonly combine: 'mean'
}

/** What a manifest may leave out. */
type Choices = Partial<
  Pick<
    RunManifest,
    'task' | 'initialiser' | 'aggregation' | 'mode' | 'lateUpdates' | 'maxStaleness' | 'overSelection' | 'maxNoiseRatio'
  >
> & {
  readonly unit?: RunUnit | RecordUnit | undefined
  readonly model?: Readonly<Partial<RunManifest['model']>> | undefined
}

/** What {@link resolveManifest} fills in. */
export interface ResolvedChoices {
  readonly task: NonNullable<RunManifest['task']>
  readonly initialiser: string
  readonly aggregation: NonNullable<RunManifest['aggregation']>
  readonly mode: Mode
  /** Of a buffered run always `rebase`: each of its updates may be of an earlier state. */
  readonly lateUpdates: NonNullable<RunManifest['lateUpdates']>
  readonly maxStaleness: number
  readonly overSelection: number
  readonly maxNoiseRatio: number
  readonly unit: RunUnit | RecordUnit
}

/** What a run goes by where its manifest says nothing: the only place that knows. */
export const MANIFEST_DEFAULTS = {
  /** One label for a whole text. */
  task: DEFAULT_TASK,
  /** Rows as after every re-factorisation. */
  initialiser: DEFAULT_INITIALISER,
  /** The rule of FedSVD: every client weighs the same. */
  aggregation: { name: 'mean' },
  /** Round by round. */
  mode: { name: 'synchronous' },
  /** An update that comes when its round has closed is not counted. */
  lateUpdates: 'reject',
  /** States: an update made 20 states ago still counts, where late ones count at all. */
  maxStaleness: 20,
  /** Times clientsPerRound: no more clients are asked than are needed. */
  overSelection: 1,
  /** What releases from before the term let in. A new run has its own: {@link NEW_RUN_MAX_NOISE_RATIO}. */
  maxNoiseRatio: 10,
  /** One record: the unit of DP-SGD (Abadi et al. 2016). */
  unit: { kind: unitOfRun({}) as 'record', maxRecords: 1, combine: 'mean' },
  /** The head sees the features as the encoder makes them. */
  featureScale: 1,
} as const satisfies ResolvedChoices & { readonly featureScale: number }

/**
 * What the coordinator writes into the manifest of a new run that does not ask for another `maxNoiseRatio`: with twice
 * the noise an update is worth a quarter of another. Written, since what a manifest leaves out keeps the meaning that
 * it had when sites agreed to it.
 */
export const NEW_RUN_MAX_NOISE_RATIO = 2

/** A manifest, or a part of one, with nothing left out that has a default. */
export type Resolved<M extends Choices> = Omit<M, keyof ResolvedChoices | 'model'> &
  ResolvedChoices & {
    readonly model: Omit<NonNullable<M['model']>, 'featureScale'> & { readonly featureScale: number }
  }

/**
 * Fills in what a manifest leaves out. For reading alone: what is stored, sent and hashed is the manifest as it was
 * written, so that a later release with other defaults neither changes a run's hash nor reads an old run differently by
 * accident.
 *
 * @param manifest a run's manifest, the request for one, or those of their fields that the caller has
 * @example resolveManifest({}).maxStaleness // 20
 */
export function resolveManifest<M extends Choices>(manifest: M): Resolved<M> {
  const { task, initialiser, aggregation, mode, lateUpdates, maxStaleness, overSelection, maxNoiseRatio, unit } =
    MANIFEST_DEFAULTS
  const given = manifest.mode ?? mode
  return {
    ...manifest,
    task: manifest.task ?? task,
    initialiser: manifest.initialiser ?? initialiser,
    aggregation: manifest.aggregation ?? aggregation,
    mode: given,
    lateUpdates: given.name === 'buffered' ? 'rebase' : (manifest.lateUpdates ?? lateUpdates),
    maxStaleness: manifest.maxStaleness ?? maxStaleness,
    overSelection: manifest.overSelection ?? overSelection,
    maxNoiseRatio: manifest.maxNoiseRatio ?? maxNoiseRatio,
    unit: manifest.unit ?? unit,
    model: { ...manifest.model, featureScale: manifest.model?.featureScale ?? MANIFEST_DEFAULTS.featureScale },
  } as Resolved<M>
}

/** Whether an update that comes when its round has closed is counted in a later one. */
export function acceptsStaleUpdates(manifest: Pick<RunManifest, 'mode' | 'lateUpdates'>): boolean {
  return resolveManifest(manifest).lateUpdates === 'rebase'
}

/** The buffer of a run whose clients train in their own time; undefined for one that goes round by round. */
export function bufferOf({
  mode,
}: Pick<RunManifest, 'mode'>): Extract<Mode, { readonly name: 'buffered' }> | undefined {
  return mode?.name === 'buffered' ? mode : undefined
}
