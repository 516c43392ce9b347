import { FedsvdError } from '../errors.ts'
import { trainedSpecs } from '../lora/index.ts'
import type { NamedTensor, TensorSpec } from '../tensor/index.ts'
import type { RunManifest } from './manifest.ts'

/**
 * What an update holds: the trained tensors, and with adaptive clipping the noised share of records under the clip
 * norm.
 */
export interface UpdateContent {
  readonly tensors: readonly NamedTensor[]
  readonly shareUnderClip?: number
}

type Public = Pick<RunManifest, 'adapter' | 'adaptiveClipping'>

const SHARE: TensorSpec = { name: 'share-under-clip', shape: [1] }

/** The tensors of an `update` frame, in their order: the share, where there is one, is the last. */
export function updateSpecs({ adapter, adaptiveClipping }: Public): readonly TensorSpec[] {
  return [...trainedSpecs(adapter), ...(adaptiveClipping ? [SHARE] : [])]
}

/**
 * The content of an update as the tensors of its frame. @throws FedsvdError SHAPE_MISMATCH for a share too many or too
 * few
 */
export function tensorsOfUpdate(
  { adaptiveClipping }: Pick<Public, 'adaptiveClipping'>,
  { tensors, shareUnderClip }: { tensors: readonly NamedTensor[]; shareUnderClip?: number | undefined },
): readonly NamedTensor[] {
  if ((adaptiveClipping === undefined) !== (shareUnderClip === undefined)) {
    throw new FedsvdError('SHAPE_MISMATCH', {
      expected: 'a share under the clip norm exactly where the run adapts its clip norm',
      got: shareUnderClip === undefined ? 'no share' : `a share of ${shareUnderClip}`,
      remedy: 'Train with the terms of the run; nothing was sent.',
    })
  }
  return shareUnderClip === undefined ? tensors : [...tensors, { ...SHARE, data: Float32Array.of(shareUnderClip) }]
}

/** The other way round, for tensors that were decoded with {@link updateSpecs}. */
export function updateOfTensors({ adaptiveClipping }: Public, tensors: readonly NamedTensor[]): UpdateContent {
  if (adaptiveClipping === undefined) return { tensors }
  return { tensors: tensors.slice(0, -1), shareUnderClip: tensors.at(-1)!.data[0]! }
}
