import { type NamedTensor, sizeOf, type TensorSpec } from '@fedsvd/core/tensor'
import { wave } from '../autodiff/index.ts'

/** A float32 tensor of irregular values in [-amplitude, amplitude]; tensors with different keys look unrelated. */
export function waveNamed(key: number, spec: TensorSpec, amplitude: number): NamedTensor {
  return { ...spec, data: Float32Array.from(wave(key, sizeOf(spec.shape), amplitude)) }
}
