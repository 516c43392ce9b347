import { describe, expect, it } from 'vitest'
import { requireSuitableRun } from './suitable-run.ts'

const suitable = { localSteps: 1 } as const

describe('a run of secure sums', () => {
  it('has one local step a round and the plain mean, and leaves out what it need not say', () => {
    expect(() => requireSuitableRun(suitable)).not.toThrow()
    const said = { aggregation: { name: 'mean' }, mode: { name: 'synchronous' }, lateUpdates: 'reject' } as const
    expect(() => requireSuitableRun({ ...suitable, ...said })).not.toThrow()
  })

  it.each([
    [{ localSteps: 2 }, /one local step .* got localSteps 2/],
    [{ aggregation: { name: 'median' } }, /mean of the updates.* got the aggregation rule median/],
    [{ aggregation: { name: 'krum', byzantine: 1 } }, /mean of the updates.* got the aggregation rule krum/],
    [{ aggregation: { name: 'inverse-variance-mean' } }, /mean of the updates.* got the aggregation rule inverse/],
    [{ mode: { name: 'buffered', bufferSize: 3, stalenessExponent: 1 } }, /rounds of one state.* got a buffered run/],
    [{ lateUpdates: 'rebase' }, /late updates that are not counted.* got rebase/],
    [{ adaptiveClipping: {} }, /clip norm that is fixed.* got adaptiveClipping/],
    [{ siteEvaluation: {} }, /no evaluation at the sites.* got siteEvaluation/],
    [{ clientLevel: {} }, /no noise of the coordinator.* got clientLevel/],
  ])('is refused with %j, and told why', (choice, reason) => {
    expect(() => requireSuitableRun({ ...suitable, ...choice } as never)).toThrow(reason)
  })
})
