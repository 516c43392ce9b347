import { describe, expect, it } from 'vitest'
import { type BurnDownLine, burnDownOption } from './burn-down-option.ts'
import { LIGHT } from './chart-theme.ts'
import { qualityOption } from './quality-option.ts'

interface Series {
  readonly id?: string
  readonly data: readonly (readonly number[])[]
  readonly itemStyle: { readonly color: string }
  readonly markLine?: { readonly data: readonly { readonly yAxis: number }[] }
}

const curve = {
  points: [
    [0, 3.4],
    [1, 4.1],
  ],
  projection: [
    [1, 4.1],
    [2, 4.8],
  ],
  roundsLeft: 1,
} as const

function site(name: string, place: number, changes: Partial<BurnDownLine> = {}): BurnDownLine {
  const terms = { budget: { epsilon: 6, delta: 1e-5 } } as BurnDownLine['terms']
  return { clientId: name, name, terms, place, curve, ...changes }
}

const seriesOf = (lines: readonly BurnDownLine[]): readonly Series[] =>
  burnDownOption(lines, 6, LIGHT).series as readonly Series[]

describe('the curves of what sites have spent', () => {
  it('begin with nothing spent before the first round', () => {
    expect(seriesOf([site('north', 0)])[0]!.data).toEqual([
      [0, 0],
      [1, 3.4],
      [2, 4.1],
    ])
    expect(burnDownOption([site('north', 0)], 6, LIGHT).xAxis).toMatchObject({ min: 0, max: 6 })
  })

  it('keep the colour of a site, whoever else is drawn and in whatever order', () => {
    const colorOf = (lines: readonly BurnDownLine[]) =>
      seriesOf(lines).find(({ id }) => id === 'south')!.itemStyle.color
    const both = [site('north', 0), site('south', 1)]
    expect([both.toReversed(), [both[1]!]].map(colorOf)).toEqual([colorOf(both), colorOf(both)])
  })

  it('show a cap where it ends the run, or as it is where no other run counts', () => {
    const levelOf = (changes: Partial<BurnDownLine>) => seriesOf([site('north', 0, changes)])[1]!.markLine?.data
    const cap = { epsilon: 9, delta: 1e-5, elsewhere: [{ sampleRate: 0.1, noiseMultiplier: 1, steps: 3 }] }
    expect(levelOf({})).toBeUndefined()
    expect(levelOf({ cap })).toBeUndefined() // how much of it is left to this run is no point of the curve
    expect(levelOf({ cap, curve: { ...curve, isByCap: true } })).toEqual([{ yAxis: 4.8 }])
    expect(levelOf({ cap: { ...cap, epsilon: 5, elsewhere: [] } })).toEqual([{ yAxis: 5 }])
  })
})

it('the majority-class baseline stays in the chart of accuracies that have left it behind', () => {
  const rounds = [{ round: 0, clients: [], seconds: 1, evaluation: { accuracy: 0.95, loss: 0.1, records: 10 } }]
  const { yAxis } = qualityOption(rounds, { majority: 0.6, records: 10 }, LIGHT)
  const { min, max } = (yAxis as readonly { min: (of: object) => number; max: (of: object) => number }[])[0]!
  expect([min({ min: 0.94, max: 0.96 }), max({ min: 0.94, max: 0.96 })]).toEqual([0.55, 1])
  expect(min({ min: 0.52, max: 0.6 })).toBe(0.5)
  expect([min({ min: 0.01, max: 1 }), max({ min: 0, max: 1 })]).toEqual([0, 1])
})
