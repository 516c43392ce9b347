import { mechanismKey } from '@fedsvd/core/accounting'
import type { RunSnapshot, SignedStatement } from '@fedsvd/core/protocol'
import { Button, Code, Group, NativeSelect, Text, Title } from '@mantine/core'
import { useState } from 'react'
import { useRuns, useStatement } from '../../api/queries.ts'
import { Epsilon } from '../../components/epsilon.tsx'
import { Panel } from '../../components/panel.tsx'
import { Empty, Loaded } from '../../components/state.tsx'
import { dateTime, plural, significant, small, utc } from '../../format.ts'
import { texts } from '../../texts/index.ts'

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
  const [clientId, setClientId] = useState('')
  const client = run.clients.find((candidate) => candidate.clientId === clientId) ?? run.clients[0]
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
        data={run.clients.map(({ clientId: value, name }) => ({ value, label: name }))}
      />
      <Statement run={run} clientId={client.clientId} />
    </>
  )
}

function Statement({ run, clientId }: { readonly run: RunSnapshot; readonly clientId: string }) {
  const signed = useStatement(run, clientId)
  return (
    <Loaded answer={signed} what="the statement">
      {(document) => (
        <>
          <Page document={document} />
          <Group mt="md" className="not-printed">
            <Button size="xs" onClick={() => download(document)}>
              Download as JSON
            </Button>
            <Button size="xs" variant="default" onClick={() => window.print()}>
              Print
            </Button>
          </Group>
        </>
      )}
    </Loaded>
  )
}

function Page({ document: { statement, publicKey, signature } }: { readonly document: SignedStatement }) {
  const { run, client, guarantee, events, clientLevel, code, madeAt } = statement
  const { delta, budget } = guarantee
  return (
    <article className="printed" aria-label="Privacy statement">
      <Title order={3} mb="xs">
        {texts.reports.statementOf(client.name, run.name)}
      </Title>
      <dl className="facts">
        <dt>Epsilon by PLD</dt>
        <dd>
          <Epsilon value={guarantee.epsilonPld} delta={delta} unit={guarantee.unit} />
        </dd>
        <dt>Epsilon by RDP</dt>
        <dd>
          <Epsilon value={guarantee.epsilonRdp} delta={delta} unit={guarantee.unit} />
        </dd>
        <dt>Unit</dt>
        <dd>{guarantee.unit}</dd>
        <dt>Relation</dt>
        <dd>{guarantee.relation}</dd>
        <dt>Sampling</dt>
        <dd>{guarantee.sampling}, by the client itself; no amplification by the selection of clients</dd>
        {events.map(({ sampleRate, noiseMultiplier, clipNorm, steps, rounds }) => (
          <div key={mechanismKey({ sampleRate, noiseMultiplier })} style={{ display: 'contents' }}>
            <dt>Mechanism</dt>
            <dd>
              sampling rate {significant(sampleRate, 6)}, noise multiplier {significant(noiseMultiplier, 6)}, clip norm{' '}
              {clipNorm}, {plural(steps, 'step')} in {plural(rounds, 'round')}
            </dd>
          </div>
        ))}
        <dt>Budget stated</dt>
        <dd>
          {budget.epsilon} per {guarantee.unit}, δ {small(budget.delta)}
        </dd>
        <dt>Against whom</dt>
        <dd>{guarantee.adversary}</dd>
        {clientLevel !== undefined && (
          <>
            <dt>Per client, in all runs</dt>
            <dd>
              epsilon <Epsilon value={clientLevel.epsilonPld} delta={clientLevel.delta} unit="client" />, after{' '}
              {plural(clientLevel.draws, 'draw')} of noise, against {clientLevel.adversary}
            </dd>
          </>
        )}
        <dt>Run</dt>
        <dd>
          {run.runId}, {run.method}, {run.state}, {run.roundsDone} of {plural(run.rounds, 'round')}
        </dd>
        <dt>Client</dt>
        <dd>
          {client.clientId}, public key <Code>{client.publicKey}</Code>
        </dd>
        <dt>Code</dt>
        <dd>
          {code.name} {code.version}
        </dd>
        <dt>Made</dt>
        <dd>{utc(madeAt)}</dd>
        <dt>Signed by</dt>
        <dd>
          <Code>{publicKey}</Code>, the coordinator's Ed25519 key
        </dd>
        <dt>Signature</dt>
        <dd>
          <Code>{signature}</Code>
        </dd>
      </dl>
      <Text size="sm" className="muted wrap" mt="xs">
        Of this run only, as the coordinator counted it so far: an odometer. The guarantee is the budget stated, by PLD
        for the run's fixed schedule; over several runs the site's own ledger holds its budget by a filter. To check the
        file: fedsvd statement verify FILE --public-key {publicKey}
      </Text>
    </article>
  )
}

function download(document: SignedStatement): void {
  const { run, client } = document.statement
  const content = new Blob([`${JSON.stringify(document, null, 2)}\n`], { type: 'application/json' })
  const address = URL.createObjectURL(content)
  const link = window.document.createElement('a')
  link.href = address
  link.download = `privacy-statement-${run.runId.slice(0, 8)}-${client.clientId.slice(0, 8)}.json`
  link.click()
  URL.revokeObjectURL(address)
}
