import { dirname, join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type NamedTensor, sizeOf } from '@fedsvd/core/tensor'
import { readBytes } from '@fedsvd/engine/files'

interface WeightGroup {
  readonly paths: readonly string[]
  readonly weights: readonly {
    readonly name: string
    readonly shape: readonly number[]
    readonly dtype: string
    readonly quantization?: unknown
  }[]
}

const BYTES_PER_ELEMENT: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1 }

/**
 * The float32 tensors of a TensorFlow.js model (`model.json` and its weight shards), by the names of the file.
 *
 * Throws CHECKPOINT_INVALID when a file is unreadable, a weight is quantised, or the shards and the manifest disagree.
 */
export async function readTfjsWeights(modelJson: string): Promise<ReadonlyMap<string, NamedTensor>> {
  const tensors = new Map<string, NamedTensor>()
  for (const { paths, weights } of await readManifest(modelJson)) {
    const shards = await Promise.all(paths.map((path) => read(join(dirname(modelJson), path))))
    const bytes = Buffer.concat(shards)
    let offset = 0
    for (const { name, shape, dtype, quantization } of weights) {
      const width = quantization ? undefined : BYTES_PER_ELEMENT[dtype]
      if (!width) throw invalid('plain float32, int32 or bool weights', `"${name}" of type ${dtype}, maybe quantised`)
      const size = sizeOf(shape) * width
      if (dtype === 'float32') {
        const data = new Float32Array(size / 4)
        new Uint8Array(data.buffer).set(bytes.subarray(offset, offset + size))
        tensors.set(name, { name, shape, data })
      }
      offset += size
    }
    if (offset !== bytes.length) throw invalid(`${offset} bytes of weights`, `${bytes.length}`)
  }
  return tensors
}

async function readManifest(modelJson: string): Promise<readonly WeightGroup[]> {
  const text = (await read(modelJson)).toString('utf8')
  const parsed = parse(text) as { weightsManifest?: readonly WeightGroup[] } | undefined
  if (!Array.isArray(parsed?.weightsManifest))
    throw invalid('a TensorFlow.js model.json', `${modelJson} without weights`)
  return parsed.weightsManifest
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function read(path: string): Promise<Buffer> {
  return await readBytes(path, 'Run `npm ci` again.')
}

function invalid(expected: string, got: string): FedsvdError {
  return new FedsvdError('CHECKPOINT_INVALID', { expected, got, remedy: 'Use an unchanged copy of the checkpoint.' })
}
