import { virtualClock } from '@fedsvd/testing/client/virtual-clock'
import { describe, expect, it } from 'vitest'
import { ReadyTurns } from './ready-turns.ts'

const open = new AbortController().signal

/** Turns on one clock, each with some public work and some time for its records. */
function turnsOn(clock = virtualClock()) {
  const turns = new ReadyTurns()
  const take = async (ms: number, { first = 0, signal = open, fails = false } = {}): Promise<number> => {
    const make = async () => {
      clock.advance(ms)
      if (fails) throw new Error('no room on the disk')
    }
    await turns.take({ clock, signal, first: async () => clock.advance(first), make })
    return clock.now()
  }
  return { turns, clock, take }
}

describe('runs whose records are made ready', () => {
  it('count as ready one after the other, each from its own beginning', async () => {
    for (const [first, second] of [
      [1100, 1100],
      [1900, 1900],
      [1100, 1900],
    ] as const) {
      const { take } = turnsOn()
      expect(await Promise.all([take(first), take(second)])).toEqual([2000, 4000])
    }
  })

  it('count it behind their public work, which takes as long as a coordinator likes', async () => {
    expect(await turnsOn().take(1900, { first: 700 })).toBe(2700)
  })

  it('fail no sooner than they would have been ready', async () => {
    const { take, clock } = turnsOn()
    await expect(take(1100, { fails: true })).rejects.toThrow('no room on the disk')
    expect(clock.now()).toBe(2000)
    expect(await take(10)).toBe(3000)
  })

  it('let the next one begin when they are over, and not when that is noticed', async () => {
    const clock = virtualClock()
    const { turns, take } = turnsOn(clock)
    const over = new AbortController()
    const cut = turns.take({
      clock,
      signal: over.signal,
      first: async () => {},
      make: async () => {
        clock.advance(300)
        over.abort(new Error('the run has ended'))
        clock.advance(400) // the record that was under way
      },
    })
    const next = take(500)
    await cut
    expect(await next).toBe(1300)
    await expect(turns.ended()).resolves.toBeUndefined()
  })

  it('tell when they are over, and not when a busy process notices', async () => {
    const clock = virtualClock()
    const sleep: typeof clock.sleep = (milliseconds, signal) => clock.sleep(milliseconds + 70, signal)
    const { take } = turnsOn({ ...clock, sleep })
    expect(await Promise.all([take(300), take(300)])).toEqual([1070, 2070])
  })
})
