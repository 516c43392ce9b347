/**
 * How fast private noise is drawn on one core, from the operating system's generator.
 *
 *   npx tsx bench/noise.ts [--json]
 *
 * `discreteGaussian` is what the mechanism uses; 5 million samples a second is the requirement, and the exit code is 1
 * below it. The other two are baselines: the exact rejection sampler of Canonne, Kamath and Steinke in big integers,
 * and a continuous Gaussian, which is not private (Mironov 2012).
 */
import { webcrypto } from 'node:crypto'
import { discreteGaussian, fillGaussian, RandomBits } from '../packages/core/src/random/index.ts'
import { referenceDiscreteGaussian } from '../packages/testing/src/core/reference-discrete-gaussian.ts'

const REQUIRED = 5e6
const SECONDS = 1
const BATCH = 1 << 16
const GRID = 2 ** 18

interface Result {
  readonly sampler: string
  readonly sigma: number
  readonly setupMilliseconds: number
  readonly samplesPerSecond: number
}

const source = new RandomBits({ kind: 'os-csprng', fill: (bytes) => void webcrypto.getRandomValues(bytes) })

/** Draws batches for a second after a short warm-up and counts samples. */
function measure(sampler: string, sigma: number, prepare: () => (out: Float64Array) => void): Result {
  const begin = performance.now()
  const fill = prepare()
  const setupMilliseconds = performance.now() - begin
  const out = new Float64Array(BATCH)
  const run = (seconds: number) => {
    const start = performance.now()
    let batches = 0
    do {
      fill(out)
      batches++
    } while (performance.now() - start < seconds * 1000)
    return (1000 * batches * BATCH) / (performance.now() - start)
  }
  run(SECONDS / 5)
  return { sampler, sigma, setupMilliseconds, samplesPerSecond: run(SECONDS) }
}

const results = [
  ...[0.7, 2.5, 0.7 * GRID, 2.5 * GRID, 1e7].map((sigma) =>
    measure('discreteGaussian', sigma, () => {
      const noise = discreteGaussian(sigma)
      return (out) => noise.fill(source, out)
    }),
  ),
  measure('rejection in big integers (Canonne, Kamath and Steinke)', Math.round(0.7 * GRID), () => (out) => {
    for (let i = 0; i < out.length; i++) out[i] = referenceDiscreteGaussian(source, Math.round(0.7 * GRID))
  }),
  measure('continuous Gaussian, NOT PRIVATE', 1, () => (out) => fillGaussian(source, out)),
]
const slowest = Math.min(
  ...results.filter(({ sampler }) => sampler === 'discreteGaussian').map((r) => r.samplesPerSecond),
)

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ requiredPerSecond: REQUIRED, slowestPerSecond: slowest, results }, null, 2))
} else {
  for (const { sampler, sigma, setupMilliseconds, samplesPerSecond } of results) {
    const rate = (samplesPerSecond / 1e6).toFixed(2).padStart(7)
    console.log(
      `${rate} M samples/s  sigma ${sigma.toFixed(1).padStart(10)}  set-up ${setupMilliseconds.toFixed(1).padStart(5)} ms  ${sampler}`,
    )
  }
}
process.exitCode = slowest < REQUIRED ? 1 : 0
