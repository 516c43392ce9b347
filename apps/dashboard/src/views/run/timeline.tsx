import type { RoundSummary, RunSnapshot } from '@fedsvd/core/protocol'
import { Table } from '@mantine/core'
import { useCallback, useMemo } from 'react'
import { Chart, type Ink, roundAxis, valueAxis, zoomFor } from '../../charts/chart.tsx'
import { bytes, duration } from '../../format.ts'
import { Pages } from '../../parts/pages.tsx'
import { Panel } from '../../parts/panel.tsx'
import { Scroll } from '../../parts/scroll.tsx'
import { Empty } from '../../parts/state.tsx'
import { planOf } from '../../run-facts.ts'
import { PALETTE } from '../../theme.ts'

const ROWS = 20

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
export function Timeline({ run, rounds }: { readonly run: RunSnapshot; readonly rounds: readonly RoundSummary[] }) {
  const newestFirst = useMemo(() => rounds.toReversed(), [rounds])
  return (
    <Panel title="Rounds" kind="public">
      {rounds.length === 0 ? (
        <Empty>No round yet: the run waits for {planOf(run).clientsPerRound} clients.</Empty>
      ) : (
        <>
          <Durations rounds={rounds} />
          <Pages items={newestFirst} size={ROWS} label="rounds">
            {(items) => <RoundTable rounds={items} />}
          </Pages>
        </>
      )}
    </Panel>
  )
}

function RoundTable({ rounds }: { readonly rounds: readonly RoundSummary[] }) {
  const seconds = (value: number | undefined): string => (value === undefined ? '–' : duration(value))
  return (
    <Scroll label="Rounds" minWidth={900}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th className="number">Round</Table.Th>
          <Table.Th>State</Table.Th>
          <Table.Th className="number">Selected</Table.Th>
          <Table.Th className="number">Received</Table.Th>
          <Table.Th className="number">Late</Table.Th>
          <Table.Th className="number">Refused</Table.Th>
          <Table.Th className="number">Extended</Table.Th>
          <Table.Th className="number">Training</Table.Th>
          <Table.Th className="number">Collecting</Table.Th>
          <Table.Th className="number">Aggregating</Table.Th>
          <Table.Th className="number">Up</Table.Th>
          <Table.Th className="number">Down</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {rounds.map((round) => {
          const { training, collecting, aggregating } = phasesOf(round)
          return (
            <Table.Tr key={round.round}>
              <Table.Td className="number">{round.round}</Table.Td>
              <Table.Td>{round.state}</Table.Td>
              <Table.Td className="number">{round.selected}</Table.Td>
              <Table.Td className="number">{round.received}</Table.Td>
              <Table.Td className="number">{round.late}</Table.Td>
              <Table.Td className="number">{round.refused}</Table.Td>
              <Table.Td className="number">{round.extensions}</Table.Td>
              <Table.Td className="number">{seconds(training)}</Table.Td>
              <Table.Td className="number">{seconds(collecting)}</Table.Td>
              <Table.Td className="number">{seconds(aggregating)}</Table.Td>
              <Table.Td className="number">{bytes(round.bytesUp)}</Table.Td>
              <Table.Td className="number">{bytes(round.bytesDown)}</Table.Td>
            </Table.Tr>
          )
        })}
      </Table.Tbody>
    </Scroll>
  )
}

function Durations({ rounds }: { readonly rounds: readonly RoundSummary[] }) {
  const option = useCallback(
    (ink: Ink) => {
      const phases = rounds.map((round) => ({ round: round.round, ...phasesOf(round) }))
      const isZoomed = rounds.length > 20
      const bar = (name: 'training' | 'collecting' | 'aggregating', color: string) => ({
        type: 'bar',
        stack: 'seconds',
        name,
        barMaxWidth: 32,
        itemStyle: { color },
        data: phases.map((phase) => phase[name] ?? 0),
      })
      return {
        grid: { top: 48, left: 52, right: 16, bottom: isZoomed ? 66 : 40 },
        dataZoom: zoomFor(rounds.length, ink),
        tooltip: { valueFormatter: (value: unknown) => duration(Number(value)) },
        xAxis: roundAxis(ink, { type: 'category', data: phases.map(({ round }) => round) }),
        yAxis: valueAxis(ink, 'seconds'),
        series: [bar('training', PALETTE[0]), bar('collecting', PALETTE[1]), bar('aggregating', PALETTE[2])],
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
