import { describe, expect, it } from 'vitest'
import { roundIn, type WhichRound } from '../export-run.ts'
import { qualityText } from './export.ts'

describe('what an export says about quality', () => {
  it('is accuracy, and for tags the F1 by its full name', () => {
    expect(qualityText({ accuracy: 0.95, loss: 0.2, records: 40 })).toBe('accuracy 0.9500 on 40 public records')
    expect(qualityText({ accuracy: 0.95, loss: 0.2, records: 40, microF1: 0.625 })).toBe(
      'accuracy 0.9500, micro-F1 over all tags but O 0.6250 on 40 public records',
    )
  })
})

describe('the round that is exported', () => {
  const run = { state: 'completed', roundsDone: 4, best: { round: 1, accuracy: 0.9 } } as Parameters<typeof roundIn>[0]

  it('is the newest, or one by its number or its accuracy', () => {
    expect(roundIn(run)).toBe(3)
    expect(roundIn(run, 1)).toBe(0)
    expect(roundIn(run, 4)).toBe(3)
    expect(roundIn(run, 'best')).toBe(1)
  })

  it.each<[Partial<typeof run>, WhichRound | undefined, RegExp]>([
    [{}, 5, /STATE_NOT_FOUND: expected a round from 1 to 4, got 5/],
    [{ best: undefined }, 'best', /STATE_NOT_FOUND: expected a run whose rounds were measured/],
    [{ roundsDone: 0 }, undefined, /RUN_STATE: expected a published round/],
    [{ roundsDone: 0 }, 1, /RUN_STATE: expected a published round/],
  ])('of %j is not %s', (changes, which, refusal) => {
    expect(() => roundIn({ ...run, ...changes }, which)).toThrow(refusal)
  })
})
