import { virtualClock } from '@fedsvd/testing/client/virtual-clock'
import { describe, expect, it } from 'vitest'
import { QuietTime } from './quiet-time.ts'

const { signal } = new AbortController()
const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

describe('a quiet machine', () => {
  it('is had between two pieces of work, and slots stand still for as long', async () => {
    const clock = virtualClock()
    const quiet = new QuietTime(clock)
    using work = await quiet.work(signal)
    let isTimed = false
    const timing = quiet.during(async () => {
      clock.advance(40)
      isTimed = true
      return 'length'
    })
    clock.advance(5)
    await turns()
    expect(isTimed).toBe(false)
    await work.rest(async () => {})
    expect(isTimed).toBe(true)
    expect(await timing).toBe('length')
    clock.advance(100)
    expect(quiet.totalMs()).toBe(40)
  })

  it('is had while work is held by a pause, and is not waited for by work that was aborted', async () => {
    const quiet = new QuietTime(virtualClock())
    const abort = new AbortController()
    using work = await quiet.work(abort.signal)
    const held = work.rest(() => new Promise((resolve) => abort.signal.addEventListener('abort', resolve)))
    expect(await quiet.during(async () => 1)).toBe(1)
    let end = (): void => {}
    const timing = quiet.during(() => new Promise<void>((resolve) => (end = resolve)))
    abort.abort(new Error('closed'))
    await expect(held).rejects.toThrow('closed')
    end()
    await timing
  })

  it('is had by one timing after the other, also where one fails', async () => {
    const quiet = new QuietTime(virtualClock())
    const order: number[] = []
    const first = quiet.during(async () => {
      order.push(1)
      throw new Error('no engine')
    })
    const second = quiet.during(async () => order.push(2))
    await expect(first).rejects.toThrow('no engine')
    await second
    using _work = await quiet.work(signal)
    expect(order).toEqual([1, 2])
  })
})

describe('slots, while an offer is answered', () => {
  it('stand still from when it came until its answer leaves, however long that took beside a round', async () => {
    for (const [late, took] of [
      [0, 20],
      [60, 90],
    ] as const) {
      const clock = virtualClock()
      const quiet = new QuietTime(clock, 500)
      clock.advance(100 + late)
      await quiet.aside(async () => clock.advance(took), 100)
      expect(quiet.totalMs()).toBe(late + took) // still standing
      clock.advance(2000)
      expect(quiet.totalMs()).toBe(500)
    }
  })

  it('are not counted twice where one offer comes before the answer to another', async () => {
    const clock = virtualClock()
    const quiet = new QuietTime(clock, 500)
    await quiet.aside(async () => clock.advance(10), 0)
    clock.advance(290)
    await quiet.aside(async () => clock.advance(10), 200)
    clock.advance(5000)
    expect(quiet.totalMs()).toBe(700) // from 0 until 200 + 500
    await quiet.aside(async () => clock.advance(10), 650) // noticed late
    clock.advance(5000)
    expect(quiet.totalMs()).toBe(700 + 9 * 500 + 450) // from 700 on
  })

  it('stand still for as long as it takes where answers are not kept back', async () => {
    const clock = virtualClock()
    const quiet = new QuietTime(clock)
    await quiet.aside(async () => clock.advance(17), 0)
    clock.advance(100)
    expect(quiet.totalMs()).toBe(17)
  })
})
