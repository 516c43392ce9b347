import { describe, expect, it } from 'vitest'
import { accuracyOf, siteEvaluationText } from './run-text.ts'

const interval = { low: 0.7, high: 0.9 }
const figures = { units: 100, accuracy: 0.8, interval, loss: 0.4, majority: 0.6, calibrationError: 0.05 }
const sites = [
  { clientId: '11111111-1111-4111-8111-111111111111', name: 'north', units: 99.6, accuracy: 0.8, interval },
]
const round = { clients: [], seconds: 1 }
const rounds = [
  { ...round, round: 0, siteEvaluation: { ...figures, sites } },
  { ...round, round: 1, siteEvaluation: { ...figures, accuracy: 0.75, sites } },
  { ...round, round: 2, evaluation: { accuracy: 0.5, loss: 1, records: 10 } },
]
const manifest = { siteEvaluation: { share: 0.1, every: 1, noiseMultiplier: 3 } }

describe('what sites measured', () => {
  it('is shown by round and by site, with its intervals and the best round', () => {
    const text = siteEvaluationText({ rounds, best: { round: 0, accuracy: 0.8, measuredBy: 'sites' } }).join('\n')
    expect(text).toMatch(/1 +0\.800 +0\.700 to 0\.900 +0\.600 +0\.050 +1 +best/)
    expect(text).toMatch(/2 +0\.750/)
    expect(text).toMatch(/after round 2, by site/)
    expect(text).toMatch(/north +0\.800 +0\.700 to 0\.900 +100/)
    expect(siteEvaluationText({ rounds: rounds.slice(2), best: undefined })).toEqual([])
  })

  it('is the accuracy of a run that evaluates at its sites; of another the hold-out is', () => {
    expect(accuracyOf({ rounds, manifest } as never)).toBe(0.75)
    expect(accuracyOf({ rounds, manifest: {} } as never)).toBe(0.5)
    expect(accuracyOf({ rounds: rounds.slice(2), manifest } as never)).toBe(0.5)
  })
})
