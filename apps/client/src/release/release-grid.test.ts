import { virtualClock } from '@fedsvd/testing/client/virtual-clock'
import { describe, expect, it } from 'vitest'
import { AwaitableValue } from '../platform/index.ts'
import { ActiveRounds } from '../runs/active-rounds.ts'
import { QuietTime } from './quiet-time.ts'
import { releaseGrid } from './release-grid.ts'
import { Spans } from './spans.ts'

const { signal } = new AbortController()
const going = (): AwaitableValue<true> => {
  const resumeGate = new AwaitableValue<true>()
  resumeGate.set(true)
  return resumeGate
}
const gridOf = (slotMs: number) => {
  const clock = virtualClock()
  const grid = releaseGrid({ clock, slotMs, resumeGate: going(), pausedMs: () => 0 })
  grid.begin()
  return { clock, grid }
}

describe('the end of a slot', () => {
  it.each([0, 1, 250, 999, 1000])('is the same moment for a round that takes %d ms', async (ms) => {
    const { clock, grid } = gridOf(1000)
    clock.advance(ms)
    await grid.endOfSlot(signal)
    expect(clock.now()).toBe(1000)
  })

  it('is that of the next slot for a round that misses one', async () => {
    const { clock, grid } = gridOf(1000)
    clock.advance(1001)
    await grid.endOfSlot(signal)
    expect(clock.now()).toBe(2000)
  })

  it('is now where there is no grid', async () => {
    const { clock, grid } = gridOf(0)
    clock.advance(17)
    await grid.endOfSlot(signal)
    expect(clock.now()).toBe(17)
  })

  it('is counted from the beginning of the training, and from now where there was none', async () => {
    const clock = virtualClock()
    const grid = releaseGrid({ clock, slotMs: 1000, resumeGate: going(), pausedMs: () => 0 })
    clock.advance(900) // of waiting for the coordinator
    await grid.endOfSlot(signal)
    expect(clock.now()).toBe(1900)
  })

  it('of a round that is cut off is the same moment, paused or not, and now where none has begun', async () => {
    const clock = virtualClock()
    let paused = 0
    const resumeGate = new AwaitableValue<true>() // the run stands still
    const grid = releaseGrid({ clock, slotMs: 1000, resumeGate, pausedMs: () => paused })
    clock.advance(300)
    await grid.endOfCutSlot(signal)
    expect(clock.now()).toBe(300)
    grid.begin()
    clock.advance(1400)
    paused = 700
    await grid.endOfCutSlot(signal)
    expect(clock.now()).toBe(300 + 1700)
  })

  it('is not waited for when the round is closed', async () => {
    const { grid } = gridOf(1000)
    const closed = new AbortController()
    closed.abort(new Error('the round is closed'))
    await expect(grid.endOfSlot(closed.signal)).rejects.toThrow('the round is closed')
  })
})

it('stands still while the run is paused, so that a pause tells nothing of how far the training was', async () => {
  const ends: number[] = []
  for (const trained of [100, 600]) {
    const clock = virtualClock()
    const work = new ActiveRounds(() => clock.now())
    const invitation = { runId: 'run', round: 0, uploadToken: 'token' } as never
    let resume = () => {}
    const paused = new Promise<void>((resolve) => {
      resume = resolve
    })
    await new Promise<void>((done) => {
      work.start(invitation, async ({ resumeGate, pausedMs }) => {
        const grid = releaseGrid({ clock, slotMs: 1000, resumeGate, pausedMs })
        grid.begin()
        await Promise.resolve() // from here on the round is at work
        clock.advance(trained)
        expect(work.hold('run')).toBe(0)
        clock.advance(5300)
        resume()
        await grid.endOfSlot(signal)
        ends.push(clock.now())
        return done
      })
      void paused.then(() => work.start(invitation, async () => () => {}))
    })
  }
  expect(ends).toEqual([6300, 6300])
})

it('counts a pause by when it was asked for, however late a busy process notices', async () => {
  const ends: number[] = []
  for (const late of [0, 70]) {
    const clock = virtualClock()
    const work = new ActiveRounds(() => clock.now())
    const invitation = { runId: 'run', round: 0, uploadToken: 'token' } as never
    await new Promise<void>((done) => {
      work.start(invitation, async ({ resumeGate, pausedMs }) => {
        const grid = releaseGrid({ clock, slotMs: 1000, resumeGate, pausedMs })
        grid.begin()
        await Promise.resolve() // from here on the round is at work
        clock.advance(100 + late)
        work.hold('run', 100)
        clock.advance(400 - late)
        work.start(invitation, async () => () => {}, 400)
        ends.push(await grid.endOfSlot(signal))
        return done
      })
    })
  }
  expect(ends).toEqual([1300, 1300])
})

it('tells when a slot ended, however late the timer of a busy process was', async () => {
  const clock = virtualClock()
  const sleep: typeof clock.sleep = async (milliseconds, until) => {
    await clock.sleep(milliseconds + 80, until)
  }
  const grid = releaseGrid({ clock: { ...clock, sleep }, slotMs: 1000, resumeGate: going(), pausedMs: () => 0 })
  grid.begin()
  expect(await grid.endOfSlot(signal)).toBe(1000)
  expect(clock.now()).toBe(1080)
})

describe('a process that was busy when a slot ended', () => {
  /** When an update leaves where a pause, or an offer, came behind the end of its slot, and is heard of before it. */
  async function endedBeside(came: 'a pause' | 'an offer', late: number): Promise<number> {
    const clock = virtualClock()
    const [pause, quiet] = [new Spans(), new QuietTime(clock, 500)]
    const resumeGate = going()
    const sleep: typeof clock.sleep = async (milliseconds, until) => {
      await clock.sleep(milliseconds, until)
      clock.advance(late)
      if (late === 0) return
      if (came === 'an offer') return await quiet.aside(async () => {}, 1003)
      resumeGate.clear()
      pause.begin(1003)
    }
    const pausedMs = (at: number) => pause.before(at) + quiet.totalMs(at)
    const grid = releaseGrid({ clock: { ...clock, sleep }, slotMs: 1000, resumeGate, pausedMs })
    grid.begin()
    return await grid.endOfSlot(AbortSignal.timeout(1000))
  }

  it.each(['a pause', 'an offer'] as const)('tells the same end beside %s that came behind it', async (came) => {
    expect(await endedBeside(came, 10)).toBe(await endedBeside(came, 0))
  })

  it('hides a round that was cut off until the end of the slot in which that was asked for', async () => {
    for (const late of [0, 10]) {
      const { clock, grid } = gridOf(1000)
      clock.advance(995 + late)
      await grid.endOfCutSlot(signal, 995)
      expect(clock.now()).toBe(Math.max(1000, 995 + late))
    }
  })

  it('tells the same end where a pause before its beginning is heard of late', async () => {
    const ends: number[] = []
    for (const late of [0, 30]) {
      const clock = virtualClock()
      const pause = new Spans()
      clock.advance(100 + late)
      pause.begin(103)
      pause.end(108)
      const grid = releaseGrid({ clock, slotMs: 1000, resumeGate: going(), pausedMs: (at) => pause.before(at) })
      grid.begin(100)
      ends.push(await grid.endOfSlot(signal))
    }
    expect(ends).toEqual([1105, 1105])
  })
})
