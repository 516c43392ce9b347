import { roundNumber } from '@fedsvd/core/errors'
import type { RunSnapshot } from '@fedsvd/core/protocol'
import type { EChartsCoreOption } from 'echarts/core'
import { type Ink, roundAxis, valueAxis, zoomFor } from './chart-theme.ts'

export const MICRO_F1 = 'micro-F1 of all tags but O'
/** The axis of accuracy ends at whole twentieths, beyond what is drawn: a line on its very edge would not be seen. */
const STEPS = 20

/** Accuracy and loss over rounds, with the majority-class baseline always in sight. */
export function qualityOption(
  rounds: RunSnapshot['rounds'],
  baseline: RunSnapshot['baseline'],
  ink: Ink,
): EChartsCoreOption {
  const points = rounds.flatMap(({ round, evaluation }) =>
    evaluation ? [{ round: roundNumber(round), ...evaluation }] : [],
  )
  const tagged = points.flatMap(({ round, microF1 }) => (microF1 === undefined ? [] : [[round, microF1]]))
  const line = { type: 'line', symbolSize: 5, showSymbol: points.length <= 60, sampling: 'lttb' }
  const isZoomed = points.length > 20
  const majority = baseline?.majority
  return {
    grid: { outerBoundsMode: 'none', top: 48, left: 52, right: 52, bottom: isZoomed ? 66 : 40 },
    dataZoom: zoomFor(points.length, ink),
    xAxis: roundAxis(ink, { min: 'dataMin', max: 'dataMax' }),
    yAxis: [
      valueAxis(ink, 'accuracy', {
        scale: true,
        ...(majority !== undefined && {
          min: ({ min }: Extent) => Math.max(0, (Math.ceil(Math.min(min, majority) * STEPS) - 1) / STEPS),
          max: ({ max }: Extent) => Math.min(1, (Math.floor(Math.max(max, majority) * STEPS) + 1) / STEPS),
        }),
        axisLabel: { color: ink.muted, formatter: (value: number) => `${Math.round(value * 100)} %` },
      }),
      valueAxis(ink, 'loss (nats)', {
        scale: true,
        splitLine: { show: false },
        nameTextStyle: { color: ink.muted, align: 'right', padding: [0, -30, 0, 0] },
      }),
    ],
    tooltip: { valueFormatter: (value: unknown) => Number(value).toFixed(4) },
    series: [
      {
        ...line,
        name: 'accuracy',
        data: points.map(({ round, accuracy }) => [round, accuracy]),
        ...(majority !== undefined && {
          markLine: {
            symbol: 'none',
            silent: true,
            lineStyle: { color: ink.muted, type: 'dashed' },
            label: { formatter: 'majority class', position: 'insideStartTop', color: ink.muted },
            data: [{ yAxis: majority }],
          },
        }),
      },
      ...(tagged.length > 0 ? [{ ...line, name: MICRO_F1, lineStyle: { type: 'dashed' }, data: tagged }] : []),
      {
        ...line,
        name: 'loss',
        yAxisIndex: 1,
        lineStyle: { type: 'dotted' },
        data: points.map(({ round, loss }) => [round, loss]),
      },
    ],
  }
}

interface Extent {
  readonly min: number
  readonly max: number
}
