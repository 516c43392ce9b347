/** The name and shape of a tensor, without its values. */
export interface TensorSpec {
  readonly name: string
  readonly shape: readonly number[]
}

/** A dense row-major float32 tensor with a name, such as `encoder.layer.0.ffn.conv1.lora_B`. */
export interface NamedTensor extends TensorSpec {
  readonly data: Float32Array
}

/** Number of elements of a shape; a scalar (empty shape) has one. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

/** A tensor of zeros of the given name and shape. */
export function zerosLike({ name, shape }: TensorSpec): NamedTensor {
  return { name, shape, data: new Float32Array(sizeOf(shape)) }
}

/** One L2 norm over all elements of all tensors, summed in float64. NaN and infinity propagate. */
export function flatNorm(tensors: readonly NamedTensor[]): number {
  let sum = 0
  for (const { data } of tensors) {
    for (let index = 0; index < data.length; index += 1) sum += data[index]! * data[index]!
  }
  return Math.sqrt(sum)
}
