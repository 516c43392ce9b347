import { initialState } from '@fedsvd/core/lora'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import { requireUsualState, requireWithinLimits } from './run-limits.ts'

const { adapter, seed } = sampleManifest()
const usual = initialState(adapter, { seed })

function withValue(part: 'a' | 'b' | 'head', value: number) {
  const [first, ...others] = usual[part]
  return { ...usual, [part]: [{ ...first!, data: first!.data.with(0, value) }, ...others] }
}

describe('a published state', () => {
  it.each(['a', 'b', 'head'] as const)('is taken with numbers up to a million, and no other, in %s', (part) => {
    for (const value of [0, -1e6, 1e6]) expect(() => requireUsualState(withValue(part, value))).not.toThrow()
    for (const value of [1e6 + 1, -2e6, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(() => requireUsualState(withValue(part, value))).toThrow(/POLICY_REFUSED/)
    }
  })

  it('is held against the limit of the site where it has one', () => {
    expect(() => requireUsualState(withValue('b', 9), { stateValue: 10 })).not.toThrow()
    expect(() => requireUsualState(withValue('b', 11), { stateValue: 10 })).toThrow(/at most 10 /)
  })
})

describe('a run on a model', () => {
  const manifest = sampleManifest({ model: { name: 'owner/name@abc', maxTokens: 8 } })

  it('is taken where the site names none, or this one', () => {
    for (const limits of [{}, { models: ['starter', 'owner/name@abc'] }])
      expect(() => requireWithinLimits(manifest, limits)).not.toThrow()
  })

  it.each([[['starter']], [['owner/name']], [[]]])('is refused where the site names only %j', (models) => {
    expect(() => requireWithinLimits(manifest, { models })).toThrow('POLICY_REFUSED: expected one of the models')
  })
})
