import { FedsvdError } from '../errors.ts'
import { trainedSpecs } from '../lora/index.ts'
import { type EvaluationLayout, evaluationLayout } from '../site-evaluation/index.ts'
import type { NamedTensor, TensorSpec } from '../tensor/index.ts'
import type { RunManifest } from './manifest.ts'
import { resolveManifest } from './resolve-manifest.ts'

/**
 * What an update holds: the trained tensors, with adaptive clipping the noised share of records under the clip norm,
 * and in a round with an evaluation the noised counts of the site, where its budget paid for them.
 */
export interface UpdateContent {
  readonly tensors: readonly NamedTensor[]
  readonly shareUnderClip?: number
  /** In the integers that were added up, one number for each cell of the run's `evaluationLayout`. */
  readonly evaluation?: Float32Array
}

type Public = Pick<RunManifest, 'adapter'> & Extras
/** What of a run decides what an update holds beside its tensors. */
type Extras = Partial<Pick<RunManifest, 'adaptiveClipping' | 'siteEvaluation' | 'task' | 'labels'>>

const SHARE: TensorSpec = { name: 'share-under-clip', shape: [1] }

/**
 * The tensors of an `update` frame, in their order: behind the trained ones the share and the evaluation, where the run
 * has them. The evaluation begins with 1 where there is one, and is all zeros in other rounds: every frame of a run has
 * the same size.
 */
export function updateSpecs(run: Public): readonly TensorSpec[] {
  const evaluation = evaluationSpec(run)
  return [...trainedSpecs(run.adapter), ...(run.adaptiveClipping ? [SHARE] : []), ...(evaluation ? [evaluation] : [])]
}

function evaluationSpec(run: Extras): TensorSpec | undefined {
  if (run.siteEvaluation === undefined) return undefined
  return { name: 'site-evaluation', shape: [1 + layoutOf(run).cells] }
}

/** What the sites of a run count. */
export function layoutOf(run: Pick<Extras, 'task' | 'labels'>): EvaluationLayout {
  return evaluationLayout({ task: resolveManifest(run).task, labels: run.labels ?? [] })
}

type Undefinable<T> = { readonly [K in keyof T]: T[K] | undefined }

/**
 * The content of an update as the tensors of its frame.
 *
 * @throws FedsvdError SHAPE_MISMATCH for a share too many or too few, or counts that are not those of the run
 */
export function tensorsOfUpdate(
  run: Extras,
  { tensors, shareUnderClip, evaluation }: Partial<Undefinable<UpdateContent>> & Pick<UpdateContent, 'tensors'>,
): readonly NamedTensor[] {
  if ((run.adaptiveClipping === undefined) !== (shareUnderClip === undefined)) {
    throw new FedsvdError('SHAPE_MISMATCH', {
      expected: 'a share under the clip norm exactly where the run adapts its clip norm',
      got: shareUnderClip === undefined ? 'no share' : `a share of ${shareUnderClip}`,
      remedy: 'Train with the terms of the run; nothing was sent.',
    })
  }
  const share = shareUnderClip === undefined ? [] : [{ ...SHARE, data: Float32Array.of(shareUnderClip) }]
  const spec = evaluationSpec(run)
  const cells = (spec?.shape[0] ?? 1) - 1
  if (evaluation !== undefined && evaluation.length !== cells) {
    throw new FedsvdError('SHAPE_MISMATCH', {
      expected: `${cells} counts of an evaluation`,
      got: String(evaluation.length),
      remedy: 'Evaluate by the terms of the run; nothing was sent.',
    })
  }
  if (spec === undefined) return [...tensors, ...share]
  const data = new Float32Array(1 + cells)
  if (evaluation !== undefined) data.set([1, ...evaluation])
  return [...tensors, ...share, { ...spec, data }]
}

/** The other way round, for tensors that were decoded with {@link updateSpecs}. */
export function updateOfTensors(run: Extras, all: readonly NamedTensor[]): UpdateContent {
  const counts = run.siteEvaluation === undefined ? undefined : all.at(-1)!.data
  const rest = counts === undefined ? all : all.slice(0, -1)
  const evaluation = counts?.[0] === 1 ? { evaluation: Float32Array.from(counts.subarray(1)) } : {}
  if (run.adaptiveClipping === undefined) return { tensors: rest, ...evaluation }
  return { tensors: rest.slice(0, -1), shareUnderClip: rest.at(-1)!.data[0]!, ...evaluation }
}
