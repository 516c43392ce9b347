import FFT from 'fft.js'

/**
 * The discrete Fourier transform of real sequences of one length, X[k] = sum of x[j] e^(-2 pi i j k / size).
 *
 * @param size a power of two, at least 4
 * @returns a function from `size` real numbers to the first `size / 2 + 1` complex ones, real and imaginary parts in
 *   turn; the array is reused by the next call.
 */
export function realFourier(size: number): (sequence: Float64Array) => Float64Array {
  const transform = new FFT(size)
  const spectrum = new Float64Array(2 * size)
  return (sequence) => {
    transform.realTransform(spectrum, sequence)
    return spectrum.subarray(0, size + 2)
  }
}

/**
 * A bound on the error of one output of `realFourier`: the 2-norm of all errors is below 8 log2(size) 2^-53 times that
 * of the outputs (Higham 2002, theorem 24.2, with its constant rounded up), which is sqrt(size) times that of the
 * inputs.
 */
export function fourierError(size: number, inputNorm: number): number {
  return 8 * Math.log2(size) * 2 ** -53 * Math.sqrt(size) * inputNorm
}
