import type { RunSnapshot } from '@fedsvd/core/protocol'
import { Group, Stack, Text } from '@mantine/core'
import { useRounds, useRun } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { Figure } from '../components/figure.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Loaded } from '../components/state.tsx'
import { bytes } from '../format.ts'
import { isOpen } from '../run-facts.ts'
import { useNow } from '../use-now.ts'
import { warningsOf } from '../warnings.ts'
import { Insecurity, RunFigures, RunState, Warnings } from './overview.tsx'
import { BurnDown } from './run/burn-down.tsx'
import { Configuration } from './run/configuration.tsx'
import { Controls } from './run/controls.tsx'
import { Quality } from './run/quality.tsx'
import { SiteEvaluation } from './run/site-evaluation.tsx'
import { Spectrum } from './run/spectrum.tsx'
import { Timeline } from './run/timeline.tsx'

/** One run in full. */
export default function Run({ runId }: { readonly runId: string }) {
  const run = useRun(runId)
  return (
    <Loaded answer={run} what="the run">
      {(snapshot) => <Details run={snapshot} />}
    </Loaded>
  )
}

function Details({ run }: { readonly run: RunSnapshot }) {
  const role = useRole()
  const rounds = useRounds(run)
  const traffic = (rounds.data ?? []).reduce(
    (sum, { bytesUp, bytesDown }) => ({ up: sum.up + bytesUp, down: sum.down + bytesDown }),
    { up: 0, down: 0 },
  )
  return (
    <Stack>
      <Group gap="xs">
        <PageTitle>{run.name}</PageTitle>
        <RunState run={run} />
        {run.reason && <Text size="sm">{run.reason}</Text>}
      </Group>
      <Insecurity run={run} />
      <RunFigures run={run}>
        <Figure label="Received from clients">{bytes(traffic.up)}</Figure>
        <Figure label="Sent to clients">{bytes(traffic.down)}</Figure>
      </RunFigures>
      <RunWarnings run={run} />
      <BurnDown run={run} />
      {isOpen(run) && role !== 'auditor' && <Controls run={run} />}
      <div className="columns">
        <Quality run={run} />
        <SiteEvaluation run={run} />
        <Loaded answer={rounds} what="the spectra">
          {(list) => <Spectrum rounds={list} manifest={run.manifest} />}
        </Loaded>
      </div>
      <Loaded answer={rounds} what="the rounds">
        {(list) => <Timeline run={run} rounds={list} />}
      </Loaded>
      <Configuration run={run} />
    </Stack>
  )
}

function RunWarnings({ run }: { readonly run: RunSnapshot }) {
  const warnings = warningsOf(run, useNow(5000))
  return <Warnings warnings={warnings.slice(0, 20)} more={Math.max(0, warnings.length - 20)} />
}
