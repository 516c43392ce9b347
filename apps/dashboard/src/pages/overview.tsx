import { roundNumber } from '@fedsvd/core/errors'
import { bufferOf, planOf, type RunSnapshot } from '@fedsvd/core/protocol'
import { Anchor, Box, Group, Paper, Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { useRuns } from '../api/queries.ts'
import { StateWord } from '../components/badge.tsx'
import { BudgetBar, Epsilon } from '../components/epsilon.tsx'
import { Figure } from '../components/figure.tsx'
import { Notice } from '../components/notice.tsx'
import { Empty, Loaded } from '../components/state.tsx'
import { percent, plural } from '../format.ts'
import {
  type Client,
  isOpen,
  isUsedUp,
  mostSpent,
  newestEvaluation,
  shareOf,
  type Warning,
  warningsOf,
  worst,
  worstOfClients,
} from '../run-facts.ts'
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

export function RunState({ run }: { readonly run: RunSnapshot }) {
  const kind = run.state === 'failed' ? 'fault' : run.state === 'running' ? 'on' : 'off'
  return <StateWord kind={kind}>{run.state}</StateWord>
}

/** Stands above everything else of a run whose numbers promise nothing. */
export function Insecurity({ run }: { readonly run: RunSnapshot }) {
  if (run.notPrivate === undefined) return null
  return (
    <Notice kind="fault" role="alert" title="NOT PRIVATE: the random numbers of this run were not secure">
      {run.notPrivate}
    </Notice>
  )
}

function RunCard({ run }: { readonly run: RunSnapshot }) {
  const { runId, name, clients } = run
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
        <RunState run={run} />
        {run.reason && <Text size="sm">{run.reason}</Text>}
      </Group>
      <Insecurity run={run} />
      <RunFigures run={run} />
      {clients.length > 0 && <Budgets run={run} />}
      <Warnings warnings={warnings.slice(0, 3)} more={warnings.length - 3} />
    </Paper>
  )
}

/** The figures that a run is judged by. */
export function RunFigures({ run, children }: { readonly run: RunSnapshot; readonly children?: ReactNode }) {
  const { roundsDone, baseline, clients } = run
  const { rounds, clientsPerRound } = planOf(run.manifest, run.plan)
  const evaluation = newestEvaluation(run)
  const most = worst(run)
  const least = mostSpent(run)
  const central = worstOfClients(run)
  return (
    <div className="figures">
      <Figure label="Rounds published" kind="public" note={underWay(run)}>
        {roundsDone} of {rounds}
      </Figure>
      <Figure
        label="Accuracy"
        kind="public"
        note={baseline ? `guessing reaches ${percent(baseline.majority)}` : 'no public hold-out that fits'}
      >
        {evaluation ? percent(evaluation.accuracy) : '–'}
      </Figure>
      {evaluation?.microF1 !== undefined && (
        <Figure label="Micro-F1" kind="public" note="of all tags but O">
          {evaluation.microF1.toFixed(3)}
        </Figure>
      )}
      <Figure label="Worst epsilon" kind="public" note={most && `${most.name}, in this run`}>
        {most ? <Epsilon value={most.epsilonUpperBound} delta={most.delta} unit={most.unit} /> : '–'}
      </Figure>
      {central !== undefined && (
        <Figure label="Worst, of whole clients" kind="public" note={`budget ${central.budget}, in all runs`}>
          <Epsilon value={central.epsilonUpperBound} delta={central.delta} unit="client" />
        </Figure>
      )}
      <Figure label="Least budget left" kind="public" note={least && `${least.name}, after this run alone`}>
        {least ? percent(Math.max(0, 1 - shareOf(least))) : '–'}
      </Figure>
      <Figure
        label="Clients connected"
        kind="public"
        note={
          bufferOf(run.manifest) === undefined
            ? `${plural(clientsPerRound, 'client')} asked per round`
            : `at most ${clientsPerRound} train at a time`
        }
      >
        {clients.filter(({ connected }) => connected).length} of {clients.length}
      </Figure>
      {children}
    </div>
  )
}

/** What the run is at. */
function underWay(run: RunSnapshot): string | undefined {
  const { current } = run
  if (current === undefined || !isOpen(run)) return undefined
  const buffer = bufferOf(run.manifest)
  if (buffer === undefined) return `round ${roundNumber(current.round)}: ${current.state}`
  return `buffer ${roundNumber(current.round)}: ${current.received.length} of ${plural(buffer.bufferSize, 'update')}`
}

/** Bars for so many clients: the ones closest to the end of their budgets. */
const MOST_BARS = 6

function Budgets({ run }: { readonly run: RunSnapshot }) {
  const { clients, runId } = run
  const shown = clients.toSorted((left, right) => shareOf(right) - shareOf(left)).slice(0, MOST_BARS)
  const more = clients.length - shown.length
  return (
    <section className="budgets" aria-label={`Privacy spent in ${run.name}`}>
      {shown.map((client) => (
        <Budget key={client.clientId} client={client} />
      ))}
      {more > 0 && (
        <Anchor component={Link} href={`/runs/${runId}`} size="sm" underline="always">
          and {plural(more, 'client')} with more left
        </Anchor>
      )}
    </section>
  )
}

function Budget({ client }: { readonly client: Client }) {
  const { clientId, name, epsilonUpperBound, budget, delta, unit, cap } = client
  const isCapped = cap !== undefined && cap.epsilonUpperBound / cap.budget > epsilonUpperBound / budget
  return (
    <div className="budget">
      <Anchor component={Link} href={`/clients/${clientId}`} size="sm">
        {name}
      </Anchor>
      <BudgetBar name={name} share={shareOf(client)} />
      <Text size="sm" component="div">
        {isCapped ? (
          <>
            <Epsilon value={cap.epsilonUpperBound} delta={cap.delta} /> of {cap.budget}, the cap on all runs
          </>
        ) : (
          <>
            <Epsilon value={epsilonUpperBound} delta={delta} unit={unit} /> of {budget}, in this run
          </>
        )}
        {isUsedUp(client) && ', used up'}
      </Text>
    </div>
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
    <Box mt="md">
      <Notice kind="warning" role="status" title={plural(warnings.length + Math.max(0, more), 'alert')}>
        <ul>
          {warnings.map(({ kind, text, at }, index) => (
            <li key={`${at}/${index}`}>
              <strong>{TITLES[kind]}:</strong> {text}
            </li>
          ))}
        </ul>
        {more > 0 && `and ${more} more on the page of the run`}
      </Notice>
    </Box>
  )
}
