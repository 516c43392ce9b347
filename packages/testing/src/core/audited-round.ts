import { type AccountedEvent, calibrateNoiseMultiplier, eventOfRound, pld } from '@fedsvd/core/accounting'
import { beginPrivateRound, type PrivateRound, reservationFrom } from '@fedsvd/core/privacy'
import { type CanaryTerms, canarySpecs, claimedCurve, judge, scoreGradientCanaries } from '@fedsvd/core/privacy-audit'
import { drawPoissonLot, seededSource } from '@fedsvd/core/random'
import { zerosLike } from '@fedsvd/core/tensor'
import { asOperatingSystem } from './scripted-source.ts'

export const DELTA = 1e-5
export const CLAIMS = [
  { name: 'one step on everything, epsilon 1', epsilon: 1, sampleRate: 1, steps: 1 },
  { name: 'one step on everything, epsilon 6', epsilon: 6, sampleRate: 1, steps: 1 },
  { name: 'a client of the demo, epsilon 6', epsilon: 6, sampleRate: 0.17, steps: 40 },
  { name: 'small lots, epsilon 3', epsilon: 3, sampleRate: 0.02, steps: 100 },
] as const

export interface Claim {
  readonly epsilon: number
  readonly sampleRate: number
  readonly steps: number
}

export function claimedTerms({ epsilon, sampleRate, steps }: Claim, canaries: number): CanaryTerms {
  const noiseMultiplier = calibrateNoiseMultiplier({ epsilon, delta: DELTA, sampleRate, steps, accountant: pld })
  return {
    clipNorm: 0.7,
    noiseMultiplier,
    sampleRate,
    steps,
    learningRate: 0.5,
    expectedLotSize: (sampleRate * canaries) / 2,
  }
}

/** What a mechanism does other than it says: other terms for the real round, or a wrapper around it. */
export interface Breakage {
  readonly executed?: (claimed: CanaryTerms) => Partial<CanaryTerms>
  readonly wrap?: (round: PrivateRound) => Pick<PrivateRound, 'drawLot' | 'step' | 'current'>
}

/** Coins, scores and the claim of one audited round, repeatable by its seed. */
export async function auditedRound(claim: Claim, canaries: number, seed: string, { executed, wrap }: Breakage = {}) {
  const claimed = claimedTerms(claim, canaries)
  const terms = { ...claimed, ...executed?.(claimed) }
  const included = new Uint8Array(canaries)
  for (const canary of drawPoissonLot(seededSource(seed, 'coins'), canaries, 0.5)) included[canary] = 1
  const specs = canarySpecs(canaries)
  const event = eventOfRound({ localSteps: terms.steps, clipNorm: terms.clipNorm }, terms)
  const round = beginPrivateRound({
    ...terms,
    specs,
    start: specs.map(zerosLike),
    source: asOperatingSystem(seededSource(seed, 'noise')),
    reservation: reservationFrom({
      event,
      runId: 'audit',
      round: 0,
      attempt: 0,
      datasetFingerprint: 'canaries',
      entryHash: 'none',
      durable: true,
    }),
  })
  return { claimed, included, scores: await scoreGradientCanaries(wrap?.(round) ?? round, included, claimed) }
}

export async function audited(claim: Claim, canaries: number, seed: string, breakage: Breakage = {}) {
  const { claimed, included, scores } = await auditedRound(claim, canaries, seed, breakage)
  return judge(scores, included, curveOf(claimed), 0.95)
}

export function curveOf(claimed: AccountedEvent) {
  return claimedCurve(pld, [claimed], DELTA)
}
