import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { giveUp, queueFrame } from './frame-queue.ts'

let frames: (() => void)[] = []

/** The browser is about to draw, and then everything that follows at once has happened. */
async function picture(): Promise<void> {
  const due = frames
  frames = []
  for (const frame of due) frame()
  for (let index = 0; index < 10; index += 1) await Promise.resolve()
}

beforeEach(() => {
  vi.stubGlobal('requestAnimationFrame', (frame: () => void) => frames.push(frame))
})
afterEach(() => vi.unstubAllGlobals())

it('does one piece a picture, in order', async () => {
  const done: string[] = []
  for (const name of ['a', 'b', 'c']) queueFrame(() => void done.push(name))
  expect(done).toEqual([])
  await picture()
  expect(done).toEqual(['a'])
  await picture()
  await picture()
  expect(done).toEqual(['a', 'b', 'c'])
  expect(frames).toEqual([])
})

it('does work once however often it was wanted before its turn, and again when it is wanted afterwards', async () => {
  const work = vi.fn<() => void>()
  for (let index = 0; index < 50; index += 1) queueFrame(work)
  await picture()
  await picture()
  expect(work).toHaveBeenCalledTimes(1)
  queueFrame(work)
  await picture()
  expect(work).toHaveBeenCalledTimes(2)
})

it('waits for work that goes on, and forgets what is given up', async () => {
  let end = (): void => {}
  const after = vi.fn<() => void>()
  const never = vi.fn<() => void>()
  queueFrame(
    () =>
      new Promise<void>((resolve) => {
        end = resolve
      }),
  )
  queueFrame(never)
  queueFrame(after)
  giveUp(never)
  await picture()
  await picture()
  expect(after).not.toHaveBeenCalled()
  end()
  await picture()
  await picture()
  expect(after).toHaveBeenCalledTimes(1)
  expect(never).not.toHaveBeenCalled()
})
