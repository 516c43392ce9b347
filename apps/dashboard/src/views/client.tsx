import type { ClientDetail, Participation } from '@fedsvd/core/protocol'
import { Alert, Anchor, Badge, Code, Group, List, Stack, Table, Text, Title } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link } from 'wouter'
import { useAnswer } from '../accounting/ask.ts'
import type { BurnDownQuestion } from '../accounting/questions.ts'
import { request } from '../api/http.ts'
import { CLIENTS, useClient } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { dateTime, plural, significant, small, upperBound } from '../format.ts'
import { Confirm } from '../parts/confirm.tsx'
import { BudgetBar, Epsilon } from '../parts/epsilon.tsx'
import { Figure } from '../parts/figure.tsx'
import { Pages } from '../parts/pages.tsx'
import { Panel } from '../parts/panel.tsx'
import { Scroll } from '../parts/scroll.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { Presence } from './clients.tsx'

const ROWS = 20

/** Who a client is, what its data have spent, and what it gave for it. */
export default function Client({ clientId }: { readonly clientId: string }) {
  const client = useClient(clientId)
  return (
    <Loaded answer={client} what="the client">
      {(detail) => <Details client={detail} />}
    </Loaded>
  )
}

function Details({ client }: { readonly client: ClientDetail }) {
  const { clientId, name, connected, enrolledAt, revokedAt, publicKey, runs } = client
  const role = useRole()
  const cache = useQueryClient()
  const revoke = async (): Promise<void> => {
    await request(`POST /v1/clients/${clientId}/revoke`, {})
    await cache.invalidateQueries({ queryKey: CLIENTS })
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Group gap="xs">
          <Title order={1}>{name}</Title>
          <Presence connected={connected} isRevoked={revokedAt !== undefined} />
        </Group>
        {role === 'admin' && revokedAt === undefined && (
          <Confirm
            label="Revoke"
            question="It is turned away for good, and what it spent stays spent."
            yes="Revoke it"
            onYes={revoke}
          />
        )}
      </Group>
      <Panel title="Identity">
        <dl className="facts">
          <dt>Identifier</dt>
          <dd>
            <Code>{clientId}</Code>
          </dd>
          <dt>Public key (Ed25519)</dt>
          <dd>
            <Code>{publicKey}</Code>
          </dd>
          <dt>Enrolled</dt>
          <dd>{dateTime(enrolledAt)}</dd>
          {revokedAt !== undefined && (
            <>
              <dt>Revoked</dt>
              <dd>{dateTime(revokedAt)}</dd>
            </>
          )}
        </dl>
      </Panel>
      {runs.length === 0 && <Empty>It has taken part in no run that you may see.</Empty>}
      {runs.map((run) => (
        <Part key={run.runId} run={run} name={name} />
      ))}
    </Stack>
  )
}

function Part({ run, name }: { readonly run: Participation; readonly name: string }) {
  const { runId, terms, facts, delivered, alerts, withdrawal } = run
  const counted = useMemo(() => facts.filter(({ voided }) => !voided), [facts])
  const question = useMemo<BurnDownQuestion>(() => everyPoint(run), [run])
  const curve = useAnswer('burnDown', question)
  const epsilonAfter = useMemo(() => new Map(curve.data?.points ?? []), [curve.data])
  const mismatches = alerts.filter(({ code }) => code === 'LEDGER_MISMATCH')
  const newestFirst = useMemo(() => facts.toReversed(), [facts])
  const spent = curve.data?.points.at(-1)?.[1] ?? 0
  return (
    <Panel
      title={run.name}
      aside={
        <Group gap="xs">
          <Badge variant="outline" color="gray.7" tt="none">
            {run.state}
          </Badge>
          <Anchor component={Link} href={`/runs/${runId}`} size="sm">
            Open the run
          </Anchor>
        </Group>
      }
    >
      <div className="figures">
        <Figure label="Epsilon spent" kind="public" note={`budget ${terms.budget.epsilon}, stated by the site`}>
          {curve.data === undefined ? 'computing' : <Epsilon value={spent} delta={terms.budget.delta} />}
        </Figure>
        <Figure label="Rounds counted" kind="public">
          {new Set(counted.map(({ round }) => round)).size}
        </Figure>
        <Figure label="Updates delivered" kind="public">
          {delivered.length}
        </Figure>
        <Figure label="Declared records" kind="public" note="a constant that the site chose">
          {terms.declaredRecords}
        </Figure>
        <Figure label="Noise multiplier" kind="public" note={`sampling rate ${significant(terms.sampleRate)}`}>
          {significant(terms.noiseMultiplier)}
        </Figure>
      </div>
      <div style={{ marginBlock: '1rem' }}>
        <BudgetBar name={name} spent={spent} budget={terms.budget.epsilon} />
      </div>
      {withdrawal !== undefined && <Text size="sm">It has left the run: {withdrawal}.</Text>}
      <Comparison run={run} mismatches={mismatches} />
      {facts.length === 0 ? (
        <Empty>Nothing was spent in this run.</Empty>
      ) : (
        <Pages items={newestFirst} size={ROWS} label={`events of ${run.name}`}>
          {(items) => (
            <Scroll label={`Ledger events of ${run.name}`} minWidth={840}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th className="number">Round</Table.Th>
                  <Table.Th className="number">Attempt</Table.Th>
                  <Table.Th className="number">Sampling rate</Table.Th>
                  <Table.Th className="number">Noise multiplier</Table.Th>
                  <Table.Th className="number">Steps</Table.Th>
                  <Table.Th className="number">Epsilon after, per record, δ {small(terms.budget.delta)}</Table.Th>
                  <Table.Th>Update</Table.Th>
                  <Table.Th>Stated first by</Table.Th>
                  <Table.Th>Recorded</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map(({ round, attempt, event, source, voided, recordedAt }) => {
                  const epsilon = epsilonAfter.get(round)
                  return (
                    <Table.Tr key={`${round}/${attempt}`}>
                      <Table.Td className="number">{round}</Table.Td>
                      <Table.Td className="number">{attempt}</Table.Td>
                      <Table.Td className="number">{significant(event.sampleRate)}</Table.Td>
                      <Table.Td className="number">{significant(event.noiseMultiplier)}</Table.Td>
                      <Table.Td className="number">{event.steps}</Table.Td>
                      <Table.Td className="number">
                        {voided ? 'nothing spent' : epsilon === undefined ? '–' : `≤ ${upperBound(epsilon)}`}
                      </Table.Td>
                      <Table.Td>{voided ? 'refused' : delivered.includes(round) ? 'delivered' : 'none'}</Table.Td>
                      <Table.Td>{source}</Table.Td>
                      <Table.Td className="nowrap">{dateTime(recordedAt)}</Table.Td>
                    </Table.Tr>
                  )
                })}
              </Table.Tbody>
            </Scroll>
          )}
        </Pages>
      )}
    </Panel>
  )
}

/** The coordinator keeps its own record and takes over what the client's ledger holds beyond it. */
function Comparison({
  run,
  mismatches,
}: {
  readonly run: Participation
  readonly mismatches: Participation['alerts']
}) {
  const adopted = run.facts.filter(({ source, voided }) => source === 'client' && !voided).length
  if (mismatches.length > 0) {
    return (
      <Alert color="orange" variant="outline" title="The two ledgers disagree" mb="sm">
        <List size="sm">
          {mismatches.map(({ message, at }) => (
            <List.Item key={`${at}${message}`} style={{ overflowWrap: 'anywhere' }}>
              {dateTime(at)}: {message}
            </List.Item>
          ))}
        </List>
      </Alert>
    )
  }
  return (
    <Text size="sm" mb="sm">
      Both ledgers: no disagreement was reported.
      {adopted > 0 &&
        ` ${plural(adopted, 'event')} came from the client's own ledger and ${adopted === 1 ? 'was' : 'were'} not known here before.`}
    </Text>
  )
}

function everyPoint({ facts, terms }: Participation): BurnDownQuestion {
  const spent = facts
    .filter(({ voided }) => !voided)
    .map(({ round, event: { sampleRate, noiseMultiplier, steps } }) => ({ round, sampleRate, noiseMultiplier, steps }))
  const { sampleRate, noiseMultiplier, budget } = terms
  return { spent, next: { sampleRate, noiseMultiplier, steps: 1 }, budget, roundsDone: 0, rounds: 0, isComplete: true }
}
