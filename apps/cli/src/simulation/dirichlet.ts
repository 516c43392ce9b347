import { fillGaussian, type RandomBits } from '@fedsvd/core/random'

/** A uniform number in (0, 1). */
function unit(bits: RandomBits): number {
  return (bits.uint53() + 0.5) / 2 ** 53
}

/**
 * Shares that add up to one, from the symmetric Dirichlet distribution: Gamma numbers over their sum. The logarithms
 * are what is drawn, as Gamma numbers of a small shape are smaller than any float.
 */
export function dirichlet(bits: RandomBits, count: number, concentration: number): readonly number[] {
  const logs = Array.from({ length: count }, () => logGamma(bits, concentration))
  const largest = Math.max(...logs)
  const weights = logs.map((log) => Math.exp(log - largest))
  const sum = weights.reduce((all, weight) => all + weight, 0)
  return weights.map((weight) => weight / sum)
}

/**
 * The logarithm of a Gamma number of scale 1 (Marsaglia and Tsang 2000); a shape below 1 by way of the next larger one:
 * G(a) = G(a + 1) U^(1/a).
 */
function logGamma(bits: RandomBits, shape: number): number {
  if (shape < 1) return logGamma(bits, shape + 1) + Math.log(unit(bits)) / shape
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  const normal = new Float64Array(1)
  for (;;) {
    fillGaussian(bits, normal)
    const [x] = normal as unknown as [number]
    const v = (1 + c * x) ** 3
    if (v > 0 && Math.log(unit(bits)) < x * x * 0.5 + d - d * v + d * Math.log(v)) return Math.log(d * v)
  }
}
