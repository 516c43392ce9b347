import { roundNumber } from '@fedsvd/core/errors'
import type { Participation } from '@fedsvd/core/protocol'
import { useMemo } from 'react'
import { useAnswer } from '../../accountant/accountant-client.ts'
import type { BurnDownQuestion } from '../../accountant/questions.ts'
import { Epsilon, EpsilonUnit } from '../../components/epsilon.tsx'
import { Pages } from '../../components/pages.tsx'
import { Scroll } from '../../components/scroll.tsx'
import { dateTime, significant } from '../../format.ts'

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
      <thead>
        <tr>
          <th className="number">Round</th>
          <th className="number">Attempt</th>
          <th className="number">Sampling rate</th>
          <th className="number">Noise multiplier</th>
          <th className="number">Steps</th>
          <th className="number">
            Epsilon after <EpsilonUnit delta={terms.budget.delta} unit={run.facts[0]?.event.unit} />
          </th>
          <th>Update</th>
          <th>Counted here</th>
          <th className="nowrap">Client reported</th>
        </tr>
      </thead>
      <tbody>
        {facts.map(({ round, attempt, event, source, voided, recordedAt, reportedAt }) => {
          const epsilon = epsilonAfter.get(round)
          return (
            <tr key={`${round}/${attempt}`}>
              <td className="number">{roundNumber(round)}</td>
              <td className="number">{attempt}</td>
              <td className="number">{significant(event.sampleRate)}</td>
              <td className="number">{significant(event.noiseMultiplier)}</td>
              <td className="number">{event.steps}</td>
              <td className="number">
                {voided ? 'nothing spent' : epsilon === undefined ? 'computing' : <Epsilon value={epsilon} />}
              </td>
              <td>{voided ? 'refused' : uploads.has(round) ? 'delivered' : 'none'}</td>
              <td className="nowrap">{source === 'client' ? 'as reported' : dateTime(recordedAt)}</td>
              <td className="nowrap">{reportedAt === undefined ? 'no' : dateTime(reportedAt)}</td>
            </tr>
          )
        })}
      </tbody>
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
