/** Matrices of one shape, one after the other, each row-major: count x rows x columns. */
export interface StackShape {
  readonly count: number
  readonly rows: number
  readonly columns: number
}

/** A stack of tall matrices where a device keeps them. Every one is released once. */
export interface DeviceStack {
  /** X^T X of each matrix X: count x columns x columns, row-major. */
  gram(): Promise<Float64Array>
  /** X M of each matrix X with its own M (count x columns x columns, row-major), as a new stack. */
  times(right: Float64Array): Promise<DeviceStack>
  read(): Promise<Float32Array | Float64Array>
  release(): void
}

/**
 * What computes products of large matrices: a GPU, a library, or this language. Two products are all that it is asked
 * for; what needs float64 and is small stays on the host.
 */
export interface LinearAlgebraDevice {
  /** As a log names it, such as `onnxruntime-cpu` or `tfjs-webgpu`. */
  readonly name: string
  /** In what the products are computed and kept. */
  readonly precision: 'float32' | 'float64'
  /** Bytes of one stack (as float32) that the device takes at once. */
  readonly maxStackBytes: number
  upload(shape: StackShape, data: Float32Array): Promise<DeviceStack>
}
