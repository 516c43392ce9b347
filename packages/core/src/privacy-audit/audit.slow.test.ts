import {
  audited,
  auditedRound,
  type Breakage,
  CLAIMS,
  claimedTerms,
  curveOf,
  DELTA,
} from '@fedsvd/testing/core/audited-round'
import { clippedSumOf } from '@fedsvd/testing/core/clipped-sums'
import { describe, expect, it } from 'vitest'
import { beginClippedSum, GRID_BITS, gridSensitivity } from '../privacy/index.ts'
import { zerosLike } from '../tensor/index.ts'
import { curveRejected, epsilonLowerBound } from './curve-test.ts'
import { canarySpecs, scoreGradientCanaries } from './gradient-canaries.ts'
import { countCorrect, guessPlans } from './guesses.ts'
import { judge } from './judge.ts'
import { oneRunEpsilon, oneRunPValue } from './one-run.ts'

const CANARIES = 10_000

describe('an audit of the mechanism as it is', () => {
  it.each(CLAIMS)('passes, and measures a good part of the claim: $name', async (claim) => {
    const result = await audited(claim, CANARIES, 'right')
    expect(result.exceeded).toBe(false)
    expect(result.epsilonUpperBound).toBeLessThanOrEqual(claim.epsilon)
    expect(result.epsilonUpperBound).toBeGreaterThan(0.999 * claim.epsilon)
    expect(result.epsilonLowerBound).toBeLessThan(claim.epsilon)
    expect(result.epsilonLowerBound).toBeGreaterThan(0.15 * claim.epsilon)
    expect(result.epsilonLowerBoundOneRun).toBeGreaterThan(0.12 * claim.epsilon)
    expect(result).toMatchObject({ delta: DELTA, confidence: 0.95, plans: 10, best: { canaries: CANARIES } })
  })

  it.each(CLAIMS)('gives a false alarm less than once in 100,000 audits, not in twenty: $name', async (claim) => {
    // 5 % is the promise for every mechanism with this curve. For this one, the right guesses of a plan are nearly
    // independent coins, and the alarm is far from their mean: the binomial tail beyond it, added up over the plans.
    const runs = await Promise.all(Array.from({ length: 10 }, (_, i) => auditedRound(claim, CANARIES, `run ${i}`)))
    const plans = guessPlans(CANARIES)
    const outcomes = runs.map(({ scores, included }) => countCorrect(scores, included, plans))
    const curve = curveOf(runs[0]!.claimed)
    const alarms = plans.map((_, plan) => {
      const { guesses } = outcomes[0]![plan]!
      const right = outcomes.reduce((sum, run) => sum + run[plan]!.correct, 0) / (runs.length * guesses)
      const at = (correct: number) => ({ canaries: CANARIES, guesses, correct })
      let alarm = Math.round(right * guesses)
      while (alarm <= guesses && !curveRejected(at(alarm), curve, 0.05 / plans.length)) alarm += 1
      // P[Binomial(guesses, right) >= alarm] is the bound at delta 0 for the epsilon with e^epsilon / (1 + e^epsilon) =
      // right
      return alarm > guesses ? 0 : oneRunPValue(at(alarm), { epsilon: Math.log(right / (1 - right)), delta: 0 })
    })
    expect(alarms.reduce((sum, chance) => sum + chance, 0)).toBeLessThan(1e-5)
  })
})

describe('an audit of a broken mechanism', () => {
  const breakages: Record<string, Breakage> = {
    'noise off by half': { executed: ({ noiseMultiplier }) => ({ noiseMultiplier: noiseMultiplier / 2 }) },
    'clip off, so that a gradient of 10 clipNorm counts ten times': {
      wrap: (round) => ({
        ...round,
        step: (sum) => round.step(clippedSumOf(sum.terms, [sum.gridSum[0]!.map((integer) => 10 * integer)])),
      }),
    },
  }

  for (const [name, breakage] of Object.entries(breakages)) {
    it.each(CLAIMS)(`catches ${name}: $name`, async (claim) => {
      const result = await audited(claim, CANARIES, name, breakage)
      expect(result.exceeded).toBe(true)
      expect(result.pValue).toBeLessThan(0.05)
    })
  }

  it.each(CLAIMS.filter(({ sampleRate }) => sampleRate < 1))(
    'catches lots that hold everybody, where sampling was accounted: $name',
    async (claim) => {
      const result = await audited(claim, CANARIES, 'everybody', { executed: () => ({ sampleRate: 1 }) })
      expect(result.exceeded).toBe(true)
      expect(result.epsilonLowerBound).toBeGreaterThan(claim.epsilon)
    },
  )

  it('catches records that are drawn a second time in a step', async () => {
    const [, claim] = CLAIMS
    const twice: Breakage = {
      wrap: (round) => ({
        ...round,
        drawLot: (records) => Uint32Array.from([...round.drawLot(records)].flatMap((i) => [i, i])),
      }),
    }
    expect((await audited(claim, CANARIES, 'twice', twice)).exceeded).toBe(true)
  })

  it('catches more steps than were counted', async () => {
    const [, , claim] = CLAIMS
    const wrap: Breakage['wrap'] = (round) => ({
      ...round,
      step: async (sum) => {
        await round.step(sum)
        for (let i = 0; i < 3; i++) {
          round.drawLot(0)
          await round.step(sum)
        }
      },
    })
    const executed: Breakage['executed'] = ({ steps }) => ({ steps: 4 * steps })
    expect((await audited(claim, CANARIES, 'steps', { executed, wrap })).exceeded).toBe(true)
  })

  it('measures more than the claim itself, with enough canaries: noise off by half at epsilon 1', async () => {
    const { epsilonLowerBound, epsilonUpperBound } = await audited(
      CLAIMS[0],
      100_000,
      'many',
      breakages['noise off by half'],
    )
    expect(epsilonLowerBound).toBeGreaterThan(epsilonUpperBound)
  })

  it('says nothing against a mechanism with more noise than it claims, or without any signal', async () => {
    const more = await audited(CLAIMS[1], CANARIES, 'more', {
      executed: ({ noiseMultiplier }) => ({ noiseMultiplier: 4 * noiseMultiplier }),
    })
    expect(more.exceeded).toBe(false)
    expect(more.epsilonLowerBound).toBeLessThan(2)
    const deaf = await audited(CLAIMS[1], CANARIES, 'deaf', {
      wrap: (round) => ({ ...round, step: (sum) => round.step(beginClippedSum(sum.terms).finish()) }),
    })
    expect(deaf).toMatchObject({ exceeded: false, epsilonLowerBound: 0, epsilonLowerBoundOneRun: 0 })
  })
})

describe('scoreGradientCanaries', () => {
  it('sends a clipped canary through the grid: its step is one contribution, within the sensitivity', async () => {
    const claim = { epsilon: 6, sampleRate: 1, steps: 1 }
    const sums: number[] = []
    const { included } = await auditedRound(claim, 500, 'grid', {
      wrap: (round) => ({
        ...round,
        step: async (sum) => {
          sums.push(...sum.gridSum[0]!)
          await round.step(sum)
        },
      }),
    })
    expect(sums).toEqual([...included].map((isIn) => isIn * 2 ** GRID_BITS))
    expect(2 ** GRID_BITS).toBeLessThanOrEqual(gridSensitivity({ dimension: 500, gridBits: GRID_BITS }))
  })

  it('scores by likelihood: included canaries higher, as far apart as the Gaussian says', async () => {
    const claim = { epsilon: 6, sampleRate: 1, steps: 4 }
    const { scores, included, claimed } = await auditedRound(claim, 40_000, 'scores')
    const mean = (coin: number) => {
      const chosen = [...scores].filter((_, i) => included[i] === coin)
      return chosen.reduce((sum, score) => sum + score, 0) / chosen.length
    }
    const strength = claimed.steps / claimed.noiseMultiplier ** 2 // mu^2; the log-likelihood ratio is N(+-mu^2 / 2, mu)
    expect(mean(1) / (strength / 2)).toBeCloseTo(1, 1)
    expect(mean(0) / (-strength / 2)).toBeCloseTo(1, 1)
  })

  it('tells the progress of its steps', async () => {
    const seen: number[] = []
    const round = {
      drawLot: () => new Uint32Array(),
      step: async () => {},
      current: () => canarySpecs(64).map(zerosLike),
    }
    const terms = claimedTerms({ epsilon: 6, sampleRate: 0.5, steps: 3 }, 64)
    await scoreGradientCanaries(round, new Uint8Array(64), terms, (done) => void seen.push(done))
    expect(seen).toEqual([1, 2, 3])
  })
})

describe('judge', () => {
  const curve = [{ epsilon: 1, delta: 1e-5 }]
  it('refuses too few canaries, coins that are missing, and a confidence that is none', () => {
    expect(() => judge(new Float64Array(63), new Uint8Array(63), curve, 0.95)).toThrow('CONFIG_INVALID')
    expect(() => judge(new Float64Array(100), new Uint8Array(99), curve, 0.95)).toThrow('CONFIG_INVALID')
    for (const confidence of [0, 1, Number.NaN])
      expect(() => judge(new Float64Array(100), new Uint8Array(100), curve, confidence)).toThrow('CONFIG_INVALID')
  })

  it('pays for the number of plans: the p-value of the best plan times all of them', () => {
    const scores = Float64Array.from({ length: 640 }, (_, i) => -i)
    const included = Uint8Array.from({ length: 640 }, (_, i) => (i < 20 ? 1 : i % 2))
    const { pValue, plans } = judge(scores, included, curve, 0.95)
    expect(plans).toBe(10)
    // 20 of 20 right, each with a chance of at most e / (1 + e): 0.731^20 = 0.0019
    expect(pValue).toBeGreaterThan(10 * (Math.E / (1 + Math.E)) ** 20)
  })

  it('measures at the level that is left to each plan: less than the best plan would give by itself', async () => {
    const { scores, included, claimed } = await auditedRound(CLAIMS[1], 2000, 'plans')
    const outcomes = countCorrect(scores, included, guessPlans(2000))
    const best = (level: number) => Math.max(...outcomes.map((outcome) => epsilonLowerBound(outcome, DELTA, level)))
    const classic = (level: number) => Math.max(...outcomes.map((outcome) => oneRunEpsilon(outcome, DELTA, level)))
    const result = judge(scores, included, curveOf(claimed), 0.95)
    expect(result.epsilonLowerBound).toBeCloseTo(best(0.05 / 10), 5)
    expect(result.epsilonLowerBound).toBeLessThan(best(0.05) - 0.1)
    expect(result.epsilonLowerBoundOneRun).toBeCloseTo(classic(0.05 / 10), 5)
  })
})
