import { expect, it } from 'vitest'
import { LIGHT } from './chart-theme.ts'
import { heatMap, isUniform } from './heat-map.ts'

const format = (value: number): string => value.toFixed(1)

function mapOf(first: number, columns: readonly (readonly number[] | undefined)[]) {
  const rows = ['query', 'value']
  return heatMap({ first, rows, columns, min: 0, max: 2, title: 'rank', format })
}

it('gives a chart one element to draw, however many rounds there are', () => {
  for (const count of [1, 1000]) {
    const { option } = mapOf(
      0,
      Array.from({ length: count }, () => [1, 2]),
    )
    const [series, ...others] = option(LIGHT).series as { data: unknown[] }[]
    expect(series!.data).toHaveLength(1)
    expect(others).toEqual([])
  }
})

it('says what is in the cell that is pointed at, and nothing beside the cells or where a round has no values', () => {
  const { tip } = mapOf(7, [[0.5, 1.5], undefined, [1, Number.NaN]])
  expect(tip!(8.4, 0.2)).toBe('round 8, query: 0.5')
  expect(tip!(7.6, 1.3)).toBe('round 8, value: 1.5')
  expect(tip!(10, 0)).toBe('round 10, query: 1.0')
  for (const [x, y] of [
    [9, 0],
    [10, 1],
    [7, 0],
    [11, 0],
    [8, 2],
  ]) {
    expect(tip!(x!, y!)).toBeUndefined()
  }
})

it('is not drawn where all of it would have one colour', () => {
  expect(isUniform([[8, 8.01], undefined, [7.99, Number.NaN]])).toBe(true)
  expect(isUniform([[8, 8.01], [7.5]])).toBe(false)
  expect(isUniform([])).toBe(true)
})
