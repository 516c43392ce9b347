import { describe, expect, it } from 'vitest'
import { clockTime } from './pace.ts'
import { Progress } from './progress.ts'

const RUN = { runId: 'a run', round: 1 }
const part = (step: number, done: number, of: number) => ({ event: 'part' as const, ...RUN, step, steps: 4, done, of })
const step = (number: number, records: number, leftOut = 0) => ({
  event: 'step' as const,
  ...RUN,
  step: number,
  steps: 4,
  records,
  leftOut,
  seconds: 10,
})

/** A screen that keeps what is written, and a clock that a test sets, in seconds. */
function shown({ isTerminal = true, columns = 200 } = {}) {
  const written: string[] = []
  const clock = { seconds: 0 }
  const screen = { isTerminal, columns, write: (text: string) => void written.push(text) }
  return { written, clock, progress: new Progress(screen, () => 1000 * clock.seconds) }
}

describe('on a terminal', () => {
  it('shows records of the lot, records a second and the time left, in one line', () => {
    const { written, clock, progress } = shown()
    progress.part(part(1, 0, 500))
    clock.seconds = 5
    progress.part(part(1, 250, 500))
    expect(written.at(-1)).toBe(
      // half of 1 of 4 steps in 5 s: 3.5 more steps of 10 s each
      '\r  round 2, step 1 of 4: 250 of 500 records, 50 records/s, 0:35 left (seen here only)',
    )
    clock.seconds = 10
    expect(progress.step(step(1, 500)).line).toBeUndefined()
    clock.seconds = 12
    progress.part(part(2, 100, 500))
    // 600 records in 12 s; 1.2 steps took 12 s, so 2.8 steps take 28 s
    expect(written.at(-1)).toContain('50 records/s, 0:28 left')
    expect(written.every((text) => text.startsWith('\r') && !text.includes('\n'))).toBe(true)
  })

  it('is rewritten ten times a second and not a thousand', () => {
    const { written, clock, progress } = shown()
    for (let i = 0; i < 3000; i += 1) {
      clock.seconds = i / 1000
      progress.part(part(1, i, 3000))
    }
    expect(written.length).toBeGreaterThan(25)
    expect(written.length).toBeLessThanOrEqual(31)
  })

  it('makes room for other lines, leaves nothing of a longer line, and fits a narrow window', () => {
    const { written, clock, progress } = shown({ columns: 30 })
    progress.clear()
    expect(written).toEqual([])
    progress.part(part(1, 0, 500))
    expect(written[0]).toHaveLength(1 + 29)
    clock.seconds = 1
    progress.clear()
    expect(written.at(-1)).toBe(`\r${' '.repeat(29)}\r`)
  })

  it('knows that a resumed round has fewer steps to make', () => {
    const { written, clock, progress } = shown()
    progress.part(part(3, 0, 100))
    clock.seconds = 10
    progress.part(part(3, 100, 100))
    expect(written.at(-1)).toContain('0:10 left')
  })

  it('counts an empty lot as done', () => {
    const { written, clock, progress } = shown()
    progress.part(part(1, 0, 100))
    clock.seconds = 4
    progress.part(part(1, 0, 0))
    expect(written.at(-1)).toContain('0 of 0 records, 0.0 records/s, 0:12 left')
  })
})

describe('anywhere else', () => {
  it('says a line after a step, at most one in half a minute, and never the size of a lot', () => {
    const { written, clock, progress } = shown({ isTerminal: false })
    const lines: string[] = []
    const facts: object[] = []
    for (const number of [1, 2, 3, 4]) {
      for (const done of [63, 126, 127]) progress.part(part(number, done, 127))
      clock.seconds = 20 * number
      const { fact, line } = progress.step(step(number, 127))
      facts.push(fact)
      if (line !== undefined) lines.push(line)
    }
    expect(written).toEqual([])
    expect(lines).toEqual(['  step 2 of 4, 0:40 left in this round', '  step 4 of 4, 0:00 left in this round'])
    expect(facts[0]).toEqual({ event: 'step', ...RUN, step: 1, steps: 4, seconds: 10, secondsLeft: 60 })
    expect(JSON.stringify([lines, facts])).not.toMatch(/127|63|126|records/)
  })
})

describe('clockTime', () => {
  it.each([
    [0, '0:00'],
    [59.4, '0:59'],
    [59.6, '1:00'],
    [3599, '59:59'],
    [3600, '1:00:00'],
    [90_061, '25:01:01'],
    [Number.POSITIVE_INFINITY, '-:--'],
    [-1, '0:00'],
  ])('%d s is %s', (seconds, text) => expect(clockTime(seconds)).toBe(text))
})
