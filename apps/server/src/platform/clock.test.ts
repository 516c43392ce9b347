import { describe, expect, it } from 'vitest'
import { steadyClock } from './clock.ts'

const HOUR = 3_600_000

function machine() {
  const time = { wall: 1_000_000, monotonic: 50 }
  const clock = steadyClock({ wall: () => time.wall, monotonic: () => time.monotonic })
  return {
    clock,
    pass(milliseconds: number) {
      time.wall += milliseconds
      time.monotonic += milliseconds
    },
    set(milliseconds: number) {
      time.wall += milliseconds
    },
  }
}

describe('the clock of a coordinator', () => {
  it('passes as the monotonic clock does', () => {
    const { clock, pass } = machine()
    pass(1234)
    expect(clock.now()).toBe(1_001_234)
  })

  it('takes no notice of a time of day that is hours ahead or behind for ten seconds', () => {
    for (const jump of [2 * HOUR, -2 * HOUR]) {
      const { clock, pass, set } = machine()
      set(jump)
      expect(clock.now()).toBe(1_000_000)
      pass(10_000)
      expect(clock.now()).toBe(1_010_000)
      set(-jump)
      pass(55_000) // the jump began more than a minute ago, and is over
      expect(clock.now()).toBe(1_065_000)
      pass(120_000)
      expect(clock.now()).toBe(1_185_000)
    }
  })

  it('follows a time of day that stays changed, after a minute', () => {
    const { clock, pass, set } = machine()
    set(-2 * HOUR)
    clock.now()
    pass(59_999)
    expect(clock.now()).toBe(1_059_999)
    pass(1)
    expect(clock.now()).toBe(1_060_000 - 2 * HOUR)
  })

  it('follows small corrections at once', () => {
    const { clock, set } = machine()
    for (let step = 1; step <= 5; step += 1) {
      set(900)
      expect(clock.now()).toBe(1_000_000 + 900 * step)
    }
  })
})
