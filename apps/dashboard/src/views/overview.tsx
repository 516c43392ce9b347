import type { RunSnapshot } from '@fedsvd/core/protocol'
import { Alert, Anchor, Badge, Group, List, Paper, Stack, Text, Title } from '@mantine/core'
import { Link } from 'wouter'
import { useRuns } from '../api/queries.ts'
import { percent, plural } from '../format.ts'
import { BudgetBar, Epsilon } from '../parts/epsilon.tsx'
import { Figure } from '../parts/figure.tsx'
import { Empty, Loaded } from '../parts/state.tsx'
import { isOpen, mostSpent, newestEvaluation, type Warning, warningsOf, worst } from '../run-facts.ts'
import { useNow } from '../use-now.ts'

/** Who has how much privacy left, and what the model is worth, for every run at a glance. */
export function Overview() {
  const runs = useRuns()
  return (
    <Stack>
      <Title order={1}>Runs</Title>
      <Loaded answer={runs} what="the runs">
        {(list) =>
          list.length === 0 ? (
            <Empty>
              No run yet. Open one under{' '}
              <Anchor component={Link} href="/new-run" underline="always">
                New run
              </Anchor>
              , or with fedsvd demo.
            </Empty>
          ) : (
            [...list.filter(isOpen), ...list.filter((run) => !isOpen(run))].map((run) => (
              <RunCard key={run.runId} run={run} />
            ))
          )
        }
      </Loaded>
    </Stack>
  )
}

export function StateBadge({ run }: { readonly run: RunSnapshot }) {
  const color = run.state === 'failed' ? 'red.9' : run.state === 'running' ? 'accent' : 'gray.7'
  return (
    <Badge color={color} variant={isOpen(run) ? 'filled' : 'outline'} tt="none" autoContrast>
      {run.state}
    </Badge>
  )
}

function RunCard({ run }: { readonly run: RunSnapshot }) {
  const { runId, name, roundsDone, manifest, clients } = run
  const now = useNow(5000)
  const warnings = warningsOf(run, now)
  return (
    <Paper component="article" withBorder p="md" aria-label={`Run ${name}`}>
      <Group gap="xs" mb="sm">
        <Title order={2}>
          <Anchor component={Link} href={`/runs/${runId}`} inherit>
            {name}
          </Anchor>
        </Title>
        <StateBadge run={run} />
        {run.reason && <Text size="sm">{run.reason}</Text>}
      </Group>
      <RunFigures run={run} />
      {clients.length > 0 && clients.length <= 6 && <Budgets run={run} />}
      {manifest.rounds === roundsDone && warnings.length === 0 ? null : (
        <Warnings warnings={warnings.slice(0, 3)} more={warnings.length - 3} />
      )}
    </Paper>
  )
}

/** The figures that a run is judged by. */
export function RunFigures({ run }: { readonly run: RunSnapshot }) {
  const { manifest, roundsDone, baseline, clients, current } = run
  const evaluation = newestEvaluation(run)
  const most = worst(run)
  const least = mostSpent(run)
  return (
    <div className="figures">
      <Figure
        label="Rounds published"
        kind="public"
        note={current && isOpen(run) ? `round ${current.round}: ${current.state}` : undefined}
      >
        {roundsDone} of {manifest.rounds}
      </Figure>
      <Figure
        label="Accuracy"
        kind="public"
        note={baseline ? `guessing reaches ${percent(baseline.majority)}` : 'no public hold-out'}
      >
        {evaluation ? percent(evaluation.accuracy) : '–'}
      </Figure>
      <Figure label="Worst epsilon" kind="public" note={most?.name}>
        {most ? <Epsilon value={most.epsilonUpperBound} delta={most.delta} /> : '–'}
      </Figure>
      <Figure label="Least budget left" kind="public" note={least?.name}>
        {least ? percent(Math.max(0, 1 - least.epsilonUpperBound / least.budget)) : '–'}
      </Figure>
      <Figure
        label="Clients connected"
        kind="public"
        note={`${plural(manifest.clientsPerRound, 'client')} asked per round`}
      >
        {clients.filter(({ connected }) => connected).length} of {clients.length}
      </Figure>
    </div>
  )
}

function Budgets({ run }: { readonly run: RunSnapshot }) {
  return (
    <dl className="facts" style={{ marginTop: '1rem' }}>
      {run.clients.map(({ clientId, name, epsilonUpperBound, budget, delta, exhausted }) => (
        <div key={clientId} style={{ display: 'contents' }}>
          <dt>
            <Anchor component={Link} href={`/clients/${clientId}`}>
              {name}
            </Anchor>
          </dt>
          <dd>
            <BudgetBar name={name} spent={epsilonUpperBound} budget={budget} />
            <Text size="sm">
              <Epsilon value={epsilonUpperBound} delta={delta} /> of {budget}
              {exhausted && ', used up'}
            </Text>
          </dd>
        </div>
      ))}
    </dl>
  )
}

const TITLES: Readonly<Record<Warning['kind'], string>> = {
  budget: 'Budget',
  ledger: 'Ledgers disagree',
  stalled: 'Stalled',
  rejected: 'Update rejected',
  refused: 'Refused',
  other: 'Alert',
}

export function Warnings({ warnings, more = 0 }: { readonly warnings: readonly Warning[]; readonly more?: number }) {
  if (warnings.length === 0)
    return (
      <Text mt="sm" size="sm" className="muted">
        No alerts.
      </Text>
    )
  return (
    <Alert
      mt="md"
      color="orange"
      variant="outline"
      title={plural(warnings.length + Math.max(0, more), 'alert')}
      role="status"
    >
      <List size="sm" spacing={4} withPadding={false}>
        {warnings.map(({ kind, text, at }, index) => (
          <List.Item key={`${at}/${index}`} style={{ overflowWrap: 'anywhere' }}>
            <strong>{TITLES[kind]}:</strong> {text}
          </List.Item>
        ))}
      </List>
      {more > 0 && <Text size="sm">and {more} more on the page of the run</Text>}
    </Alert>
  )
}
