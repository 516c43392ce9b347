import { roundNumber } from '@fedsvd/core/errors'
import type { ClientSpending } from '@fedsvd/core/protocol'
import type { EChartsCoreOption } from 'echarts/core'
import type { BurnDown, Point } from '../accountant/questions.ts'
import { epsilonBound } from '../format.ts'
import { type Ink, roundAxis, valueAxis, zoomFor } from './chart-theme.ts'

/** What one site has spent, with its place among all sites of the run, which gives it its colour. */
export type BurnDownLine = Pick<ClientSpending, 'clientId' | 'name' | 'terms' | 'cap'> & {
  readonly place: number
  readonly curve: BurnDown | undefined
}

/** Epsilon over rounds, from nothing before the first one; with budgets, caps, and how it goes on. */
export function burnDownOption(drawn: readonly BurnDownLine[], rounds: number, ink: Ink): EChartsCoreOption {
  const budgets = [...new Set(drawn.map(({ terms }) => terms.budget.epsilon))]
  return {
    grid: { outerBoundsMode: 'none', top: 48, left: 52, right: 16, bottom: rounds > 20 ? 66 : 40 },
    dataZoom: zoomFor(rounds, ink),
    legend: { data: drawn.map(({ name }) => name) },
    tooltip: { valueFormatter: (value: unknown) => epsilonBound(Number(value)) },
    xAxis: roundAxis(ink, { min: 0, max: Math.max(1, rounds) }),
    yAxis: valueAxis(ink, 'epsilon ≤', {
      min: 0,
      max: Math.max(...budgets) * 1.08,
      axisLabel: {
        color: ink.muted,
        showMaxLabel: false,
        formatter: (value: number) => String(Number(value.toFixed(2))),
      },
    }),
    series: drawn.flatMap((line, index) => {
      const { clientId, name, curve, terms, place } = line
      const color = ink.series[place % ink.series.length]
      const shared = { type: 'line', name, symbolSize: 5, itemStyle: { color } }
      const isFirst = drawn.findIndex((other) => other.terms.budget.epsilon === terms.budget.epsilon) === index
      const cap = capOf(line)
      return [
        {
          ...shared,
          id: clientId,
          showSymbol: (curve?.points.length ?? 0) <= 30,
          data: [[0, 0], ...numbered(curve?.points)],
          ...(isFirst && { markLine: levelAt(terms.budget.epsilon, `budget ${terms.budget.epsilon}`, ink.text, ink) }),
        },
        {
          ...shared,
          id: `${clientId}/next`,
          showSymbol: false,
          lineStyle: { type: 'dotted' },
          data: numbered(curve?.projection),
          tooltip: { show: false },
          ...(cap !== undefined && { markLine: levelAt(cap, `cap of ${name}`, color ?? ink.text, ink) }),
        },
      ]
    }),
  }
}

/**
 * Where in this run the cap of a site ends it. A cap counts all runs, so its own number is on this axis only where
 * there was no other run; where it ends the projection, that end is.
 */
function capOf({ cap, curve }: BurnDownLine): number | undefined {
  if (cap === undefined) return undefined
  if (curve?.isByCap === true) return (curve.projection.at(-1) ?? curve.points.at(-1))?.[1]
  return cap.elsewhere.length === 0 ? cap.epsilon : undefined
}

function levelAt(epsilon: number, name: string, color: string, ink: Ink) {
  return {
    symbol: 'none',
    silent: true,
    lineStyle: { color, type: 'dashed' },
    label: { formatter: name, position: 'insideStartTop', color: ink.text },
    data: [{ yAxis: epsilon }],
  }
}

/** Points at the numbers by which people know rounds. */
function numbered(points: readonly Point[] = []): readonly Point[] {
  return points.map(([round, epsilon]) => [roundNumber(round), epsilon])
}
