import type { RunSnapshot } from '@fedsvd/core/protocol'
import { Group, Stack, Text, Title } from '@mantine/core'
import { useRounds, useRun } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { bytes, dateTime, plural, significant, small } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Panel } from '../parts/panel.tsx'
import { Loaded } from '../parts/state.tsx'
import { isOpen, planOf, warningsOf } from '../run-facts.ts'
import { useNow } from '../use-now.ts'
import { Insecurity, RunFigures, RunState, Warnings } from './overview.tsx'
import { BurnDown } from './run/burn-down.tsx'
import { Controls } from './run/controls.tsx'
import { Quality } from './run/quality.tsx'
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
        <Title order={1}>{run.name}</Title>
        <RunState run={run} />
        {run.reason && <Text size="sm">{run.reason}</Text>}
      </Group>
      <Insecurity run={run} />
      <RunFigures run={run}>
        <Figure label="Received from clients" kind="public">
          {bytes(traffic.up)}
        </Figure>
        <Figure label="Sent to clients" kind="public">
          {bytes(traffic.down)}
        </Figure>
      </RunFigures>
      <RunWarnings run={run} />
      <BurnDown run={run} />
      {isOpen(run) && role !== 'auditor' && <Controls run={run} />}
      <div className="columns">
        <Quality run={run} />
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

function Configuration({ run }: { readonly run: RunSnapshot }) {
  const { manifest, createdAt, endedAt, adapter } = run
  const { model, labels, target, aggregation, clientLevel, adaptiveClipping } = manifest
  const { rounds, quorum, clientsPerRound, deadlineSeconds } = planOf(run)
  const facts: readonly (readonly [string, string | number | undefined])[] = [
    ['Run', run.runId],
    ['Method', manifest.method],
    ['Aggregation', aggregation?.name ?? 'mean'],
    ['Model', `${model.name}, at most ${model.maxTokens} tokens`],
    ['Labels', labels.length <= 20 ? labels.join(', ') : `${labels.length} classes`],
    [
      'Adapter',
      `rank ${manifest.adapter.rank}, alpha ${manifest.adapter.alpha}, ${plural(manifest.adapter.layers.length, 'layer')}, head ${manifest.adapter.headMode}`,
    ],
    ['Rounds', rounds === manifest.rounds ? rounds : `${rounds}, ${manifest.rounds} of them announced at first`],
    ['Local steps', manifest.localSteps],
    ['Expected lot', manifest.expectedLotSize],
    [
      'Clip norm',
      adaptiveClipping
        ? `${manifest.clipNorm} at first, ${run.clipNorm ?? manifest.clipNorm} by now`
        : manifest.clipNorm,
    ],
    ['Learning rate', manifest.learningRate],
    ['Momentum', manifest.momentum],
    ['Feature scale', model.featureScale],
    ['Asked of each client', `epsilon ${target.epsilon} per record at δ ${small(target.delta)}`],
    [
      'Privacy of clients',
      clientLevel &&
        `epsilon ${clientLevel.budget.epsilon} per client at δ ${small(clientLevel.budget.delta)}, noise multiplier ${significant(clientLevel.noiseMultiplier)}, clip norm ${run.clientClipNorm ?? clientLevel.clipNorm}`,
    ],
    ['Clients per round', `${clientsPerRound}, quorum ${quorum}`],
    ['Deadline', `${deadlineSeconds} s`],
    ['Seed', manifest.seed],
    ['Opened', createdAt && dateTime(createdAt)],
    ['Ended', endedAt && dateTime(endedAt)],
    ['Newest state', adapter],
  ]
  return (
    <Panel title="Configuration" kind="public">
      <dl className="facts">
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </Panel>
  )
}
