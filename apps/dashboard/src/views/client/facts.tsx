import type { Participation } from '@fedsvd/core/protocol'
import { Table } from '@mantine/core'
import { useMemo } from 'react'
import { useAnswer } from '../../accounting/ask.ts'
import type { BurnDownQuestion } from '../../accounting/questions.ts'
import { dateTime, significant, upperBound } from '../../format.ts'
import { EpsilonUnit } from '../../parts/epsilon.tsx'
import { Pages } from '../../parts/pages.tsx'
import { Scroll } from '../../parts/scroll.tsx'

const ROWS = 20
type Fact = Participation['facts'][number]

/** Every event of a client in a run, the newest first: what the coordinator counted beside what the client reported. */
export function Facts({ run }: { readonly run: Participation }) {
  const newestFirst = useMemo(() => run.facts.toReversed(), [run.facts])
  return (
    <Pages items={newestFirst} size={ROWS} label={`events of ${run.name}`}>
      {(items) => <FactTable run={run} facts={items} />}
    </Pages>
  )
}

function FactTable({ run, facts }: { readonly run: Participation; readonly facts: readonly Fact[] }) {
  const { terms, delivered } = run
  const question = useMemo(() => epsilonsAt(run, facts), [run, facts])
  const { data } = useAnswer('burnDown', question)
  const epsilonAfter = useMemo(() => new Map(data?.points ?? []), [data])
  const uploads = useMemo(() => new Set(delivered), [delivered])
  return (
    <Scroll label={`Ledger events of ${run.name}`} minWidth={840}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th className="number">Round</Table.Th>
          <Table.Th className="number">Attempt</Table.Th>
          <Table.Th className="number">Sampling rate</Table.Th>
          <Table.Th className="number">Noise multiplier</Table.Th>
          <Table.Th className="number">Steps</Table.Th>
          <Table.Th className="number">
            Epsilon after <EpsilonUnit delta={terms.budget.delta} />
          </Table.Th>
          <Table.Th>Update</Table.Th>
          <Table.Th>Counted here</Table.Th>
          <Table.Th className="nowrap">Client reported</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {facts.map(({ round, attempt, event, source, voided, recordedAt, reportedAt }) => {
          const epsilon = epsilonAfter.get(round)
          return (
            <Table.Tr key={`${round}/${attempt}`}>
              <Table.Td className="number">{round}</Table.Td>
              <Table.Td className="number">{attempt}</Table.Td>
              <Table.Td className="number">{significant(event.sampleRate)}</Table.Td>
              <Table.Td className="number">{significant(event.noiseMultiplier)}</Table.Td>
              <Table.Td className="number">{event.steps}</Table.Td>
              <Table.Td className="number">
                {voided ? 'nothing spent' : epsilon === undefined ? 'computing' : `≤ ${upperBound(epsilon)}`}
              </Table.Td>
              <Table.Td>{voided ? 'refused' : uploads.has(round) ? 'delivered' : 'none'}</Table.Td>
              <Table.Td>{source === 'client' ? 'as reported' : dateTime(recordedAt)}</Table.Td>
              <Table.Td>{reportedAt === undefined ? 'no' : dateTime(reportedAt)}</Table.Td>
            </Table.Tr>
          )
        })}
      </Table.Tbody>
    </Scroll>
  )
}

/** What the accountant is asked for the rows shown: epsilon after each of their rounds, with everything before. */
function epsilonsAt({ facts, terms }: Participation, shown: readonly Fact[]): BurnDownQuestion {
  const spent = facts
    .filter(({ voided }) => !voided)
    .map(({ round, event: { sampleRate, noiseMultiplier, steps } }) => ({ round, sampleRate, noiseMultiplier, steps }))
  const { sampleRate, noiseMultiplier, budget } = terms
  const next = { sampleRate, noiseMultiplier, steps: 1 }
  const at = [...new Set(shown.map(({ round }) => round))]
  return { spent, next, budget, roundsDone: 0, rounds: 0, at, isBrief: true }
}
