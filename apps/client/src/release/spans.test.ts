import { expect, it } from 'vitest'
import { Spans } from './spans.ts'

it('are counted until any moment, also one that has passed', () => {
  const spans = new Spans()
  spans.begin(100)
  expect([50, 100, 130].map((at) => spans.before(at))).toEqual([0, 0, 30])
  spans.end(200)
  spans.begin(300)
  spans.end(350) // still to come
  expect([130, 250, 320, 400].map((at) => spans.before(at))).toEqual([30, 100, 120, 150])
})

it('are merged where they overlap, in any order of arrival', () => {
  const spans = new Spans()
  spans.begin(100)
  spans.end(200)
  spans.begin(90)
  spans.begin(95)
  spans.end(210)
  spans.end(400) // ends nothing
  expect([95, 150, 500].map((at) => spans.before(at))).toEqual([5, 60, 120])
})

it('keep their sum, however many there were', () => {
  const spans = new Spans()
  for (let n = 0; n < 10_000; n++) {
    spans.begin(10 * n)
    spans.end(10 * n + 1)
  }
  expect(spans.before(100_000)).toBe(10_000)
  expect(spans.before(99_000)).toBe(9900)
})
