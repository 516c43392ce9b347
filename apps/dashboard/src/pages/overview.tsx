import { bufferOf, planOf, type RunSnapshot } from '@fedsvd/core/protocol'
import { Anchor, Box, Group, Paper, Stack, Text, Title } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { useRuns } from '../api/queries.ts'
import { StateWord } from '../components/badge.tsx'
import { BudgetBar, Epsilon } from '../components/epsilon.tsx'
import { Figure } from '../components/figure.tsx'
import { Notice } from '../components/notice.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Empty, Loaded } from '../components/state.tsx'
import { percent, plural } from '../format.ts'
import { byRemaining, givenShare, roundsAhead, shortfallOf } from '../remaining.ts'
import { type Client, isOpen, newestEvaluation, worst, worstOfClients } from '../run-facts.ts'
import { texts } from '../texts/index.ts'
import { useNow } from '../use-now.ts'
import { type Warning, warningsOf } from '../warnings.ts'

/** Who has how much privacy left, and what the model is worth, for every run at a glance. */
export function Overview() {
  const runs = useRuns()
  return (
    <Stack>
      <PageTitle>Runs</PageTitle>
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
  const [least] = byRemaining(run)
  const central = worstOfClients(run)
  return (
    <div className="figures">
      <Figure label="Rounds published" note={underWay(run)}>
        {roundsDone} of {rounds}
      </Figure>
      <Figure
        label="Accuracy"
        note={baseline ? texts.run.majorityBaseline(percent(baseline.majority)) : texts.run.noTestSet}
      >
        {evaluation ? percent(evaluation.accuracy) : '–'}
      </Figure>
      {evaluation?.microF1 !== undefined && (
        <Figure label="Micro-F1" note="of all tags but O">
          {evaluation.microF1.toFixed(3)}
        </Figure>
      )}
      <Figure label={texts.run.highestEpsilon} note={most && `${most.name}, in this run`}>
        {most ? <Epsilon value={most.epsilonUpperBound} delta={most.delta} unit={most.unit} /> : '–'}
      </Figure>
      {central !== undefined && (
        <Figure label={texts.run.highestEpsilonOfSites} note={`budget ${central.budget}, in all runs`}>
          <Epsilon value={central.epsilonUpperBound} delta={central.delta} unit="client" />
        </Figure>
      )}
      <Figure label={texts.run.lowestRemaining} note={least?.name}>
        {least === undefined ? '–' : remainingText(run, least)}
      </Figure>
      <Figure
        label={texts.run.sitesConnected}
        note={
          bufferOf(run.manifest) === undefined
            ? texts.run.selectedPerRound(clientsPerRound)
            : texts.run.trainingAtATime(clientsPerRound)
        }
      >
        {clients.filter(({ connected }) => connected).length} of {clients.length}
      </Figure>
      {children}
    </div>
  )
}

/** How far the budget of a site reaches: in rounds as long as the run is open, in epsilon afterwards. */
function remainingText(run: RunSnapshot, { roundsLeft, epsilonUpperBound, budget }: Client): string {
  if (roundsLeft === undefined) return percent(Math.max(0, 1 - epsilonUpperBound / budget))
  const ahead = roundsAhead(run)
  return roundsLeft >= ahead ? texts.run.lastsToTheEnd : texts.run.roundsLeft(roundsLeft, ahead)
}

/** What the run is at. */
export function underWay(run: RunSnapshot): string | undefined {
  const { current, manifest, plan } = run
  if (current === undefined || !isOpen(run)) return undefined
  const { round, state, received, selected } = current
  const buffer = bufferOf(manifest)
  if (buffer !== undefined) return texts.run.underWay.buffer(round, received.length, buffer.bufferSize)
  const { rounds } = planOf(manifest, plan)
  return texts.run.underWay[state](round, rounds, received.length, selected.length)
}

/** Bars for so many clients: the ones closest to the end of their budgets. */
const MOST_BARS = 6

function Budgets({ run }: { readonly run: RunSnapshot }) {
  const { clients, runId } = run
  const shown = byRemaining(run).slice(0, MOST_BARS)
  const more = clients.length - shown.length
  return (
    <section className="budgets" aria-label={`Privacy spent in ${run.name}`}>
      {shown.map((client) => (
        <Budget key={client.clientId} run={run} client={client} />
      ))}
      {more > 0 && (
        <Anchor component={Link} href={`/runs/${runId}`} size="sm" underline="always">
          and {plural(more, 'client')} with more left
        </Anchor>
      )}
    </section>
  )
}

function Budget({ run, client }: { readonly run: RunSnapshot; readonly client: Client }) {
  const { clientId, name, epsilonUpperBound, budget, delta, unit, cap, roundsLeft } = client
  const isCapped = cap !== undefined && cap.epsilonUpperBound / cap.budget > epsilonUpperBound / budget
  return (
    <div className="budget">
      <Anchor component={Link} href={`/clients/${clientId}`} size="sm">
        {name}
      </Anchor>
      <BudgetBar name={name} share={givenShare(run, client)} isShort={shortfallOf(run, client) > 0} />
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
        {roundsLeft !== undefined && `; ${remainingText(run, client)}`}
      </Text>
    </div>
  )
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
              <strong>{texts.warnings.titles[kind]}:</strong> {text}
            </li>
          ))}
        </ul>
        {more > 0 && `and ${more} more on the page of the run`}
      </Notice>
    </Box>
  )
}
