import type { ClientSpending, RunSnapshot } from '@fedsvd/core/protocol'
import { Button, Group, NativeSelect, Text, Title } from '@mantine/core'
import { useMemo, useState } from 'react'
import { useAnswer } from '../../accounting/ask.ts'
import type { SpentQuestion } from '../../accounting/questions.ts'
import { useLedger, useRuns } from '../../api/queries.ts'
import { dateTime, significant, small, upperBound } from '../../format.ts'
import { Panel } from '../../parts/panel.tsx'
import { Empty, Loaded } from '../../parts/state.tsx'
import { type PrivacyStatement, statementOf } from './statement.ts'

/** What one client has spent in one run, with all that is needed to compute it again. */
export function Statements() {
  const runs = useRuns()
  const [runId, setRunId] = useState('')
  return (
    <Panel title="Privacy statement">
      <Loaded answer={runs} what="the runs">
        {(list) => {
          const run = list.find((candidate) => candidate.runId === runId) ?? list[0]
          if (run === undefined) return <Empty>There is no run yet.</Empty>
          return (
            <>
              <NativeSelect
                className="not-printed"
                label="Run"
                maw={420}
                value={run.runId}
                onChange={(event) => setRunId(event.currentTarget.value)}
                data={list.map(({ runId: value, name, createdAt }) => ({
                  value,
                  label: `${name}${createdAt ? `, ${dateTime(createdAt)}` : ''}`,
                }))}
              />
              <OfRun key={run.runId} run={run} />
            </>
          )
        }}
      </Loaded>
    </Panel>
  )
}

function OfRun({ run }: { readonly run: RunSnapshot }) {
  const ledger = useLedger(run)
  const [clientId, setClientId] = useState('')
  return (
    <Loaded answer={ledger} what="the ledger">
      {(clients) => {
        const client = clients.find((candidate) => candidate.clientId === clientId) ?? clients[0]
        if (client === undefined) return <Empty>No client took part.</Empty>
        return (
          <>
            <NativeSelect
              className="not-printed"
              label="Client"
              maw={420}
              my="sm"
              value={client.clientId}
              onChange={(event) => setClientId(event.currentTarget.value)}
              data={clients.map(({ clientId: value, name }) => ({ value, label: name }))}
            />
            <Statement run={run} client={client} />
          </>
        )
      }}
    </Loaded>
  )
}

function Statement({ run, client }: { readonly run: RunSnapshot; readonly client: ClientSpending }) {
  const question = useMemo<SpentQuestion>(
    () => ({
      delta: client.terms.budget.delta,
      events: client.mechanisms.map(({ sampleRate, noiseMultiplier, spent }) => ({
        sampleRate,
        noiseMultiplier,
        steps: spent.reduce((sum, [, steps]) => sum + steps, 0),
      })),
    }),
    [client],
  )
  const { data } = useAnswer('spent', question)
  const statement =
    data && statementOf({ run, client, events: question.events, spent: data, version: __FEDSVD_VERSION__ })
  if (statement === undefined) return <Text role="status">Computing</Text>
  return (
    <>
      <Page statement={statement} />
      <Group mt="md" className="not-printed">
        <Button size="xs" onClick={() => download(statement)}>
          Download as JSON
        </Button>
        <Button size="xs" variant="default" onClick={() => window.print()}>
          Print
        </Button>
      </Group>
    </>
  )
}

function Page({ statement }: { readonly statement: PrivacyStatement }) {
  const { run, client, guarantee, events, accountant } = statement
  const { delta } = guarantee
  return (
    <article className="printed" aria-label="Privacy statement">
      <Title order={3} mb="xs">
        {client.name} in {run.name}
      </Title>
      <dl className="facts">
        <dt>Epsilon by PLD</dt>
        <dd>
          ≤ {upperBound(guarantee.epsilonPld)} at δ {small(delta)}
        </dd>
        <dt>Epsilon by RDP</dt>
        <dd>
          ≤ {upperBound(guarantee.epsilonRdp)} at δ {small(delta)}
        </dd>
        <dt>Unit</dt>
        <dd>{guarantee.unit}</dd>
        <dt>Relation</dt>
        <dd>{guarantee.relation}</dd>
        <dt>Sampling</dt>
        <dd>{guarantee.sampling}</dd>
        {events.map(({ sampleRate, noiseMultiplier, steps, rounds }) => (
          <div key={`${sampleRate}/${noiseMultiplier}`} style={{ display: 'contents' }}>
            <dt>Mechanism</dt>
            <dd>
              sampling rate {significant(sampleRate, 6)}, noise multiplier {significant(noiseMultiplier, 6)}, clip norm{' '}
              {guarantee.clipNorm}, {steps} steps in {rounds} rounds
            </dd>
          </div>
        ))}
        <dt>Budget stated</dt>
        <dd>
          {guarantee.budget} at δ {small(delta)}
        </dd>
        <dt>Against whom</dt>
        <dd>{guarantee.against}</dd>
        <dt>Run</dt>
        <dd>
          {run.runId}, {run.method}, {run.state}, {run.roundsDone} of {run.rounds} rounds
        </dd>
        <dt>Client</dt>
        <dd>{client.clientId}</dd>
        <dt>Code</dt>
        <dd>fedsvd {accountant.version}</dd>
        <dt>Made</dt>
        <dd>{dateTime(statement.madeAt)}</dd>
      </dl>
    </article>
  )
}

function download(statement: PrivacyStatement): void {
  const address = URL.createObjectURL(
    new Blob([`${JSON.stringify(statement, null, 2)}\n`], { type: 'application/json' }),
  )
  const link = document.createElement('a')
  link.href = address
  link.download = `privacy-statement-${statement.run.runId.slice(0, 8)}-${statement.client.clientId.slice(0, 8)}.json`
  link.click()
  URL.revokeObjectURL(address)
}
