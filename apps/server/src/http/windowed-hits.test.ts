import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { limitPerClient } from './limits.ts'
import { WindowedHits } from './windowed-hits.ts'

const MINUTE_MS = 60_000

describe('limits on callers', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance', 'setInterval', 'clearInterval'] }))
  afterEach(() => void vi.useRealTimers())

  it('counts each caller for a window of its own and forgets what is over', () => {
    const hits = new WindowedHits(MINUTE_MS)
    expect(hits.increment('a').totalHits).toBe(1)
    vi.advanceTimersByTime(30_000)
    expect([hits.increment('a').totalHits, hits.increment('b').totalHits]).toEqual([2, 1])
    hits.decrement('a')
    vi.advanceTimersByTime(30_001)
    expect([hits.increment('a').totalHits, hits.increment('b').totalHits]).toEqual([1, 2])
    hits.resetKey('b')
    expect(hits.increment('b').totalHits).toBe(1)
  })

  it('locks no caller out for longer when the time of day was ahead for a moment', async () => {
    const limit = limitPerClient(1, 'reports')
    const start = Date.now()
    vi.setSystemTime(start + 2 * 3_600_000)
    await limit('a') // its window begins while the clock is wrong
    vi.setSystemTime(start + 10_000)
    await expect(limit('a')).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    vi.advanceTimersByTime(MINUTE_MS)
    await expect(limit('a')).resolves.toBeUndefined()
  })
})
