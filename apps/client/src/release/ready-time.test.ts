import { virtualClock } from '@fedsvd/testing/client/virtual-clock'
import { describe, expect, it } from 'vitest'
import { untilReady } from './ready-time.ts'

describe('records that took some time to make ready', () => {
  it.each([
    [0, 1000],
    [999, 1000],
    [1000, 1000],
    [1001, 2000],
    [2500, 4000],
    [3_000_000, 4_096_000],
  ])('of %d ms count as ready after %d ms', async (took, ready) => {
    const clock = virtualClock()
    clock.advance(70)
    const agreedAt = clock.now()
    clock.advance(took)
    await untilReady(agreedAt, clock, new AbortController().signal)
    expect(clock.now() - agreedAt).toBe(ready)
  })

  it('are not waited for when their run is over', async () => {
    const over = new AbortController()
    over.abort(new Error('the run has ended'))
    await expect(untilReady(0, virtualClock(), over.signal)).rejects.toThrow('the run has ended')
  })
})
