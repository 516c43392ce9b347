import { calibrateNoiseMultiplier, pld } from '@fedsvd/core/accounting'
import { untouchedNoiseQuestion } from '@fedsvd/core/privacy'
import type { PrivacyTerms } from '@fedsvd/core/protocol'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import type { EpsilonBounds } from './epsilon.ts'
import { checkTerms, mostNoise } from './terms.ts'

const manifest = sampleManifest({ rounds: 20, maxNoiseRatio: 2 })
const sampleRate = 10 / 120
const { budget, steps } = untouchedNoiseQuestion(manifest, sampleRate)
const untouched = calibrateNoiseMultiplier({ ...budget, sampleRate, steps, accountant: pld })

/** Answers by the accountant itself, without its thread. */
const bounds: EpsilonBounds = {
  of: () => bounds,
  epsilonUpperBound: async (events, delta) => ({ epsilon: pld.epsilonUpperBound(events, delta), by: 'pld' }),
  renyi: async (events, delta) => ({ epsilon: pld.epsilonUpperBound(events, delta), by: 'pld' }),
  fits: async (events, { epsilon, delta }) => pld.epsilonUpperBound(events, delta) <= epsilon,
  ruleFor: async () => undefined,
  noiseFor: async ({ budget: asked, ...question }) =>
    calibrateNoiseMultiplier({ ...asked, ...question, accountant: pld }),
}

const terms = (ratio: number): PrivacyTerms => {
  return { declaredRecords: 120, sampleRate, noiseMultiplier: ratio * untouched, budget: manifest.target }
}

describe('the noise of a client', () => {
  it('is refused above maxNoiseRatio times that of an untouched budget, however little that is', async () => {
    await checkTerms(manifest, terms(1), bounds)
    await checkTerms(manifest, terms(2), bounds)
    await expect(checkTerms(manifest, terms(2.01), bounds)).rejects.toThrow(
      /BUDGET_TOO_SMALL.*2 times what an untouched/,
    )
  })

  it('is held to the ratio of ten by a manifest from before the term', async () => {
    const { maxNoiseRatio: _, ...before } = manifest
    await checkTerms(before, terms(9.9), bounds)
    await expect(checkTerms(before, terms(10.1), bounds)).rejects.toThrow(/BUDGET_TOO_SMALL.*10 times/)
  })

  it('is refused where the accountant gives no answer in time', async () => {
    const silent = { ...bounds, noiseFor: async () => undefined }
    expect(await mostNoise(manifest, terms(1), silent)).toBeUndefined()
    await expect(checkTerms(manifest, terms(1), silent)).rejects.toThrow('BUDGET_TOO_SMALL')
  })
})
