import { roundNumber } from '@fedsvd/core/errors'
import type { RunSnapshot, SiteEvaluationFigures } from '@fedsvd/core/protocol'
import { Table, Text } from '@mantine/core'
import { memo } from 'react'
import { Panel } from '../../components/panel.tsx'
import { percent } from '../../format.ts'

/** What the sites measured on records that they do not train on, by site, for the newest round that has it. */
export const SiteEvaluation = memo(function SiteEvaluation({ run }: { readonly run: RunSnapshot }) {
  const measured = run.rounds.findLast(({ siteEvaluation }) => siteEvaluation !== undefined)
  const figures = measured?.siteEvaluation
  if (measured === undefined || figures === undefined) return null
  const rows = [
    { name: 'All sites', key: 'all', ...figures },
    ...figures.sites.map((site) => ({ ...site, key: site.clientId })),
  ]
  return (
    <Panel title="Measured at the sites">
      <Table>
        <Table.Caption>
          State of round {roundNumber(measured.round)}, on records that no site trains on; noised, intervals at 95 %
        </Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Site</Table.Th>
            <Table.Th>Accuracy</Table.Th>
            <Table.Th>Interval</Table.Th>
            <Table.Th>Units, about</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ key, name, accuracy, interval, units }) => (
            <Table.Tr key={key}>
              <Table.Td>{name}</Table.Td>
              <Table.Td>{percent(accuracy)}</Table.Td>
              <Table.Td>
                {percent(interval.low)} to {percent(interval.high)}
              </Table.Td>
              <Table.Td>{Math.round(units)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="sm">{summaryOf(run, figures)}</Text>
    </Panel>
  )
})

function summaryOf({ best }: RunSnapshot, { majority }: SiteEvaluationFigures): string {
  const guess = majority === undefined ? '' : `Majority-class baseline ${percent(majority)}. `
  return best?.measuredBy === 'sites'
    ? `${guess}Best: round ${roundNumber(best.round)}, ${percent(best.accuracy)}.`
    : guess
}
