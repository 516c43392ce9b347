import { type RandomSource, uniformBelow } from '@fedsvd/core/random'

/**
 * The discrete Gaussian by the rejection sampler of Canonne, Kamath and Steinke (2020), algorithms 1 to 3, for an
 * integer sigma. Slow and simple; it shares no code with the table sampler and serves as its oracle and as a baseline
 * in the bench.
 */
export function referenceDiscreteGaussian(source: RandomSource, sigma: number): number {
  const t = sigma + 1
  for (;;) {
    const y = discreteLaplace(source, t)
    // gamma = (|y| - sigma^2 / t)^2 / (2 sigma^2), over the common denominator 2 sigma^2 t^2
    const gamma = (BigInt(Math.abs(y)) * BigInt(t) - BigInt(sigma) ** 2n) ** 2n
    if (bernoulliExp(source, gamma, 2n * BigInt(sigma) ** 2n * BigInt(t) ** 2n)) return y
  }
}

/** P(y) proportional to exp(-|y| / t). */
function discreteLaplace(source: RandomSource, t: number): number {
  for (;;) {
    const u = uniformBelow(source, t)
    if (!bernoulliExp(source, BigInt(u), BigInt(t))) continue
    let v = 0
    while (bernoulliExp(source, 1n, 1n)) v++
    const y = u + t * v
    const negative = uniformBelow(source, 2) === 1
    if (y !== 0 || !negative) return negative ? -y : y
  }
}

/** True with probability exp(-num / den). */
function bernoulliExp(source: RandomSource, num: bigint, den: bigint): boolean {
  for (let rest = num; rest > den; rest -= den) if (!bernoulliExpBelowOne(source, den, den)) return false
  return bernoulliExpBelowOne(source, num % den === 0n && num > 0n ? den : num % den, den)
}

/** True with probability exp(-num / den), 0 <= num <= den: von Neumann's alternating run of coins num / (den k). */
function bernoulliExpBelowOne(source: RandomSource, num: bigint, den: bigint): boolean {
  let k = 1n
  while (bigUniformBelow(source, den * k) < num) k++
  return k % 2n === 1n
}

function bigUniformBelow(source: RandomSource, bound: bigint): bigint {
  const bits = bound.toString(2).length
  const words = Math.ceil(bits / 32)
  for (;;) {
    let value = 0n
    for (let i = 0; i < words; i++) value = (value << 32n) | BigInt(uniformBelow(source, 2 ** 32))
    value >>= BigInt(32 * words - bits)
    if (value < bound) return value
  }
}
