import { describe, expect, it } from 'vitest'
import { AnswerHold, endOfHold } from './answer-hold.ts'
import { answerJitterMs } from './answer-jitter.ts'

function clock() {
  let now = 1000
  return {
    now: () => now,
    pause: async (milliseconds: number) => {
      now += milliseconds
    },
    advance: (milliseconds: number) => {
      now += milliseconds
    },
  }
}

describe('an answer that is kept back', () => {
  it('leaves at the same time, however long it took below that', async () => {
    for (const took of [0, 0.3, 7, 499.5]) {
      const { now, pause, advance } = clock()
      const hold = new AnswerHold(500, now, pause, () => 0)
      advance(took)
      await hold.behind(1000)
      expect(Math.abs(now() - 1500)).toBeLessThan(1)
    }
  })

  it('leaves some milliseconds later, drawn at random: when a thread wakes is not seen behind them', async () => {
    const drawn = Array.from({ length: 2000 }, answerJitterMs)
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...drawn)).toBeLessThan(25)
    expect(Math.abs(drawn.reduce((sum, one) => sum + one, 0) / 2000 - 12.5)).toBeLessThan(1) // 6 standard deviations
    const { now, pause } = clock()
    await new AnswerHold(500, now, pause, () => 17).behind(1000)
    expect(Math.abs(now() - 1517)).toBeLessThan(1)
  })

  it('takes the next multiple where it was missed', () => {
    expect(endOfHold(1000, 1500, 500)).toBe(1500)
    expect(endOfHold(1000, 1500.1, 500)).toBe(2000)
    expect(endOfHold(1000, 900, 500)).toBe(1500) // clocks of two threads, read one after the other
  })

  it('is waited for by who closes the connection', async () => {
    let release = (): void => {}
    const hold = new AnswerHold(
      500,
      () => (release === done ? 2000 : 1000),
      () =>
        new Promise(
          (resolve) =>
            (release = () => {
              release = done
              resolve()
            }),
        ),
    )
    function done(): void {}
    const answer = hold.behind(1000)
    let isSettled = false
    const settled = hold.settled().then(() => (isSettled = true))
    await Promise.resolve()
    expect(isSettled).toBe(false)
    release()
    await Promise.all([answer, settled])
    expect(isSettled).toBe(true)
  })

  it('is not kept back at all where the time is 0', async () => {
    const { now, pause } = clock()
    await new AnswerHold(0, now, pause).behind(1000)
    expect(now()).toBe(1000)
  })
})
