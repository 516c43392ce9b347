import { roundNumber } from '@fedsvd/core/errors'
import { acceptsStaleUpdates, planOf, type RoundSummary, type RunSnapshot } from '@fedsvd/core/protocol'
import { memo, useCallback, useMemo } from 'react'
import { Chart } from '../../charts/chart.tsx'
import { type Ink, roundAxis, valueAxis, wholeOnly, zoomFor } from '../../charts/chart-theme.ts'
import { Pages } from '../../components/pages.tsx'
import { Panel } from '../../components/panel.tsx'
import { Scroll } from '../../components/scroll.tsx'
import { Empty } from '../../components/state.tsx'
import { bytes, duration, plural } from '../../format.ts'
import { stalenessOf } from '../../run-facts.ts'

const ROWS = 20
/** More bars than this are drawn as one area for each phase, with steps as wide as the bars. */
const MOST_BARS = 200
const BAR = { type: 'bar', barMaxWidth: 32 }
const AREA = {
  type: 'line',
  step: 'middle',
  showSymbol: false,
  sampling: 'lttb',
  lineStyle: { width: 0 },
  areaStyle: { opacity: 1 },
}

/** How long each part of a round took, in seconds: undefined where it has not ended. */
export function phasesOf({ openedAt, firstReceivedAt, closedAt, publishedAt }: RoundSummary) {
  const between = (from?: string, to?: string) =>
    from === undefined || to === undefined ? undefined : (Date.parse(to) - Date.parse(from)) / 1000
  return {
    training: between(openedAt, firstReceivedAt),
    collecting: between(firstReceivedAt, closedAt),
    aggregating: between(closedAt, publishedAt),
  }
}

/** What happened in each round, how long it took and what it moved. */
export const Timeline = memo(function Timeline({
  run,
  rounds,
}: {
  readonly run: RunSnapshot
  readonly rounds: readonly RoundSummary[]
}) {
  const newestFirst = useMemo(() => rounds.toReversed(), [rounds])
  return (
    <Panel title="Rounds">
      {rounds.length === 0 ? (
        <Empty>No round yet: the run waits for {planOf(run.manifest, run.plan).clientsPerRound} clients.</Empty>
      ) : (
        <>
          <Durations rounds={rounds} />
          <Pages items={newestFirst} size={ROWS} label="rounds">
            {(items) => <RoundTable run={run} rounds={items} />}
          </Pages>
        </>
      )}
    </Panel>
  )
})

function RoundTable({ run, rounds }: { readonly run: RunSnapshot; readonly rounds: readonly RoundSummary[] }) {
  const hasStale = acceptsStaleUpdates(run.manifest)
  const staleness = useMemo(() => stalenessOf(run), [run])
  const seconds = (value: number | undefined): string => (value === undefined ? '–' : duration(value))
  return (
    <Scroll label="Rounds" minWidth={900}>
      <thead>
        <tr>
          <th className="number">Round</th>
          <th>State</th>
          <th className="number">Selected</th>
          <th className="number">Received</th>
          <th className="number">Late</th>
          {hasStale && <th className="number">Stale</th>}
          <th className="number">Refused</th>
          <th className="number">Extended</th>
          <th className="number">Training</th>
          <th className="number">Collecting</th>
          <th className="number">Aggregating</th>
          <th className="number">Up</th>
          <th className="number">Down</th>
        </tr>
      </thead>
      <tbody>
        {rounds.map((round) => {
          const { training, collecting, aggregating } = phasesOf(round)
          return (
            <tr key={round.round}>
              <td className="number">{roundNumber(round.round)}</td>
              <td>{round.state}</td>
              <td className="number">{round.selected}</td>
              <td className="number">{round.received}</td>
              <td className="number">{round.late}</td>
              {hasStale && <td className="number">{staleWords(staleness.get(round.round) ?? [])}</td>}
              <td className="number">{round.refused}</td>
              <td className="number">{round.extensions}</td>
              <td className="number">{seconds(training)}</td>
              <td className="number">{seconds(collecting)}</td>
              <td className="number">{seconds(aggregating)}</td>
              <td className="number">{bytes(round.bytesUp)}</td>
              <td className="number">{bytes(round.bytesDown)}</td>
            </tr>
          )
        })}
      </tbody>
    </Scroll>
  )
}

/** How many updates of earlier rounds one counted, and the age of the oldest in states. */
function staleWords(ages: readonly number[]): string {
  return ages.length === 0 ? '0' : `${ages.length}, up to ${plural(Math.max(...ages), 'state')} old`
}

function Durations({ rounds }: { readonly rounds: readonly RoundSummary[] }) {
  const option = useCallback(
    (ink: Ink) => {
      const phases = rounds.map((round) => ({ round: roundNumber(round.round), ...phasesOf(round) }))
      const isZoomed = rounds.length > 20
      const isMany = rounds.length > MOST_BARS
      const part = (name: 'training' | 'collecting' | 'aggregating', color: string) => ({
        ...(isMany ? AREA : BAR),
        stack: 'seconds',
        name,
        itemStyle: { color },
        data: phases.map((phase) => [phase.round, phase[name] ?? 0]),
      })
      return {
        grid: { outerBoundsMode: 'none', top: 48, left: 52, right: 16, bottom: isZoomed ? 66 : 40 },
        dataZoom: zoomFor(rounds.length, ink),
        tooltip: { valueFormatter: (value: unknown) => duration(Number(value)) },
        xAxis: roundAxis(ink, {
          min: roundNumber(rounds[0]?.round ?? 0) - 0.5,
          max: roundNumber(rounds.at(-1)?.round ?? 0) + 0.5,
          axisLabel: { color: ink.muted, formatter: wholeOnly },
        }),
        yAxis: valueAxis(ink, 'seconds'),
        series: [
          part('training', ink.series[0]!),
          part('collecting', ink.series[1]!),
          part('aggregating', ink.series[2]!),
        ],
      }
    },
    [rounds],
  )
  return (
    <Chart
      height={220}
      option={option}
      label="Seconds of training, collecting and aggregating per round; the table below has the figures"
    />
  )
}
