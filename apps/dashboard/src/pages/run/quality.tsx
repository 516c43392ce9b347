import { roundNumber } from '@fedsvd/core/errors'
import type { Evaluation, RunSnapshot } from '@fedsvd/core/protocol'
import { Text } from '@mantine/core'
import { memo, useCallback } from 'react'
import { Chart } from '../../charts/chart.tsx'
import { type Ink, roundAxis, valueAxis, zoomFor } from '../../charts/chart-theme.ts'
import { Panel } from '../../components/panel.tsx'
import { Empty } from '../../components/state.tsx'
import { percent } from '../../format.ts'
import { newestEvaluation } from '../../run-facts.ts'

const MICRO_F1 = 'micro-F1 of all tags but O'

/** What the model is worth, round by round, on the coordinator's public hold-out. */
export const Quality = memo(function Quality({ run }: { readonly run: RunSnapshot }) {
  const { rounds, baseline, best } = run
  const evaluation = newestEvaluation(run)
  const option = useCallback(
    (ink: Ink) => {
      const points = rounds.flatMap(({ round, evaluation }) =>
        evaluation ? [{ round: roundNumber(round), ...evaluation }] : [],
      )
      const tagged = points.flatMap(({ round, microF1 }) => (microF1 === undefined ? [] : [[round, microF1]]))
      const line = { type: 'line', symbolSize: 5, showSymbol: points.length <= 60, sampling: 'lttb' }
      const isZoomed = points.length > 20
      return {
        grid: { outerBoundsMode: 'none', top: 48, left: 52, right: 52, bottom: isZoomed ? 66 : 40 },
        dataZoom: zoomFor(points.length, ink),
        xAxis: roundAxis(ink, { min: 'dataMin', max: 'dataMax' }),
        yAxis: [
          valueAxis(ink, 'accuracy', {
            scale: true,
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
            ...(baseline && {
              markLine: {
                symbol: 'none',
                silent: true,
                lineStyle: { color: ink.muted, type: 'dashed' },
                label: { formatter: 'guessing', position: 'insideStartTop', color: ink.muted },
                data: [{ yAxis: baseline.majority }],
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
    },
    [rounds, baseline],
  )
  return (
    <Panel title="Accuracy and loss" kind="public">
      {evaluation === undefined ? (
        <Empty>Nothing measured yet. A coordinator measures only where it was started with a public --hold-out.</Empty>
      ) : (
        <>
          <Chart height={300} option={option} label={describe(evaluation, baseline)} />
          {best !== undefined && (
            <Text size="sm">
              Best: round {roundNumber(best.round)}, accuracy {percent(best.accuracy)}.
            </Text>
          )}
        </>
      )}
    </Panel>
  )
})

function describe({ accuracy, microF1, records }: Evaluation, baseline: RunSnapshot['baseline']): string {
  const tags = microF1 === undefined ? '' : `, the ${MICRO_F1} ${microF1.toFixed(3)}`
  const guess = baseline ? `, guessing reaches ${percent(baseline.majority)}` : ''
  return `Accuracy and loss per round; the newest accuracy is ${percent(accuracy)} on ${records} public records${guess}${tags}`
}
