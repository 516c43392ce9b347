import type { DeviceStack, LinearAlgebraDevice, StackShape } from '@fedsvd/core/linalg'
import type { Tensor, Tensor3D } from '@tensorflow/tfjs-core'
import { selectBackend, type TfjsBackend } from '../runtime/tfjs/backends.ts'
import { addedSegments, segmentsOf } from './segments.ts'

/** WebGPU binds no buffer of more than 128 MiB by default. */
const MAX_STACK_BYTES = 64 * 2 ** 20

/**
 * The products of a re-factorisation on any backend of TensorFlow.js, in float32; factors stay there between the
 * passes.
 */
export function tfjsDevice(backend: TfjsBackend): LinearAlgebraDevice {
  const { tf, settled } = backend
  const read = async (tensor: Tensor): Promise<Float32Array> => {
    const values = (await tensor.data()) as Float32Array
    await settled?.()
    return values
  }
  const stackOf = ({ count, rows, columns }: StackShape, tensor: Tensor): DeviceStack => ({
    gram: async () => {
      await selectBackend(backend)
      const segments = segmentsOf(rows)
      // The operand is transposed before the product, because a flag costs wasm far more.
      const partial = tf.tidy(() => {
        const cut = tf.reshape(tensor, [count * segments, rows / segments, columns]) as Tensor3D
        return tf.matMul(tf.transpose(cut, [0, 2, 1]), cut)
      })
      try {
        return addedSegments(await read(partial), segments, columns * columns)
      } finally {
        partial.dispose()
      }
    },
    times: async (right) => {
      await selectBackend(backend)
      const product = tf.tidy(() =>
        tf.matMul(tensor as Tensor3D, tf.tensor3d(Float32Array.from(right), [count, columns, columns])),
      )
      return stackOf({ count, rows, columns }, product)
    },
    read: () => read(tensor),
    release: () => tensor.dispose(),
  })
  return {
    name: `tfjs-${backend.source}`,
    precision: 'float32',
    maxStackBytes: MAX_STACK_BYTES,
    upload: async (shape, data) => {
      await selectBackend(backend)
      return stackOf(shape, tf.tensor3d(data, [shape.count, shape.rows, shape.columns]))
    },
  }
}
