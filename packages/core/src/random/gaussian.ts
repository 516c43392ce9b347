import { RandomBits, type RandomSource } from './source.ts'
import { uniform } from './uniform.ts'

/**
 * Fills `out` with independent, approximately standard normal doubles (Box and Muller 1958).
 *
 * For public numbers only: the first factors A, simulated data, and as a baseline in benches. It is NOT a privacy
 * mechanism: the low bits of a floating-point Gaussian betray what it was added to (Mironov 2012). Private sums get
 * `discreteGaussian`.
 */
export function fillGaussian(source: RandomSource, out: Float32Array | Float64Array): void {
  const bits = RandomBits.from(source)
  for (let i = 0; i < out.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(bits)))
    const angle = 2 * Math.PI * uniform(bits)
    out[i] = radius * Math.cos(angle)
    if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle)
  }
}
