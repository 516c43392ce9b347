import { mergeEvents, unitOfRun } from '@fedsvd/core/accounting'
import type { Participation } from '@fedsvd/core/protocol'
import { Anchor, Box, Group, Text } from '@mantine/core'
import { useMemo } from 'react'
import { Link } from 'wouter'
import { useAnswer } from '../../accountant/accountant-client.ts'
import { StateWord } from '../../components/badge.tsx'
import { BudgetBar, Epsilon } from '../../components/epsilon.tsx'
import { Figure } from '../../components/figure.tsx'
import { Notice } from '../../components/notice.tsx'
import { Panel } from '../../components/panel.tsx'
import { Empty } from '../../components/state.tsx'
import { dateTime, plural, significant } from '../../format.ts'
import { texts } from '../../texts/index.ts'
import { Facts } from './facts.tsx'

/** What a client has spent and given in one run. */
export function InRun({ run, name }: { readonly run: Participation; readonly name: string }) {
  const { runId, terms, facts, delivered, withdrawal } = run
  const counted = useMemo(() => facts.filter(({ voided }) => !voided), [facts])
  const question = useMemo(
    () => ({ events: mergeEvents(counted.map(({ event }) => event)), delta: terms.budget.delta }),
    [counted, terms],
  )
  const { data } = useAnswer('spent', question)
  const unit = facts[0]?.event.unit
  const spent = data?.epsilonPld ?? 0
  return (
    <Panel
      title={run.name}
      aside={
        <Group gap="xs">
          <StateWord kind={run.state === 'running' ? 'on' : 'off'}>{run.state}</StateWord>
          <Anchor component={Link} href={`/runs/${runId}`} size="sm">
            {texts.run.view}
          </Anchor>
        </Group>
      }
    >
      <div className="figures">
        <Figure
          label="Epsilon spent so far"
          note={`an odometer; the guarantee is the budget that the site stated, ${terms.budget.epsilon}`}
        >
          {data === undefined ? 'computing' : <Epsilon value={spent} delta={terms.budget.delta} unit={unit} />}
        </Figure>
        <Figure label="Rounds counted">{new Set(counted.map(({ round }) => round)).size}</Figure>
        <Figure label="Updates delivered">{delivered.length}</Figure>
        <Figure label={`Declared ${unit ?? unitOfRun({})}s`} note="a constant that the site chose">
          {terms.declaredRecords}
        </Figure>
        <Figure label="Noise multiplier" note={`sampling rate ${significant(terms.sampleRate)}`}>
          {significant(terms.noiseMultiplier)}
        </Figure>
      </div>
      <Box my="md">
        <BudgetBar name={`${name} in ${run.name}`} share={spent / terms.budget.epsilon} />
      </Box>
      {withdrawal !== undefined && <Text size="sm">It has left the run: {withdrawal}.</Text>}
      {facts.length === 0 ? (
        <Empty>Nothing was spent in this run.</Empty>
      ) : (
        <>
          <Comparison run={run} />
          <Facts run={run} />
        </>
      )}
    </Panel>
  )
}

/** The coordinator's record beside what the client said of its own ledger. */
function Comparison({ run }: { readonly run: Participation }) {
  const { facts, alerts } = run
  const mismatches = alerts.filter(({ code }) => code === 'LEDGER_MISMATCH')
  const counted = facts.filter(({ voided }) => !voided)
  const held = counted.filter(({ reportedAt }) => reportedAt !== undefined).length
  const adopted = counted.filter(({ source }) => source === 'client').length
  if (mismatches.length > 0) {
    return (
      <Box mb="sm">
        <Notice kind="warning" title="The two ledgers disagree">
          <ul>
            {mismatches.map(({ message, at }) => (
              <li key={`${at}${message}`}>
                {dateTime(at)}: {message}
              </li>
            ))}
          </ul>
        </Notice>
      </Box>
    )
  }
  return (
    <Text size="sm" mb="sm">
      Both ledgers: {plural(counted.length, 'event')} counted here, {held} of them reported from the client's own ledger
      {adopted > 0 && `, ${adopted} of which ${adopted === 1 ? 'was' : 'were'} not known here before`}.{' '}
      {held < counted.length
        ? 'An event that was not reported stays counted: the client was asked, and may have begun.'
        : 'They agree.'}
    </Text>
  )
}
