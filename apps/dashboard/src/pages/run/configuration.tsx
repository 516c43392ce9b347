import { unitOfRun } from '@fedsvd/core/accounting'
import { roundNumber } from '@fedsvd/core/errors'
import { acceptsStaleUpdates, bufferOf, planOf, type RunSnapshot, resolveManifest } from '@fedsvd/core/protocol'
import { Panel } from '../../components/panel.tsx'
import { dateTime, plural, significant, small } from '../../format.ts'

function unitTextOf(manifest: RunSnapshot['manifest']): string {
  const { unit } = resolveManifest(manifest)
  return unit.kind === 'record' ? 'a record' : `a person, by the ${unit.combine} of at most ${unit.maxRecords} records`
}

/** What was decided when the run was opened, and what operators have changed since. */
export function Configuration({ run }: { readonly run: RunSnapshot }) {
  const { manifest, createdAt, endedAt, adapter } = run
  const { labels, target, clientLevel, adaptiveClipping } = manifest
  const { task, aggregation, model, overSelection } = resolveManifest(manifest)
  const buffer = bufferOf(run.manifest)
  const { rounds, quorum, clientsPerRound, deadlineSeconds } = planOf(run.manifest, run.plan)
  const facts: readonly (readonly [string, string | number | undefined])[] = [
    ['Run', run.runId],
    ['Task', task],
    ['Method', manifest.method],
    ['Mode', modeOf(run)],
    ['Late updates', acceptsStaleUpdates(run.manifest) ? lateOf(manifest) : 'refused when their round has closed'],
    ['Aggregation', aggregation.name],
    ['Model', `${model.name}, at most ${model.maxTokens} tokens`],
    [
      task === 'token-classification' ? 'Tags' : 'Labels',
      labels.length === 0 ? undefined : labels.length <= 20 ? labels.join(', ') : `${labels.length} classes`,
    ],
    [
      'Adapter',
      `rank ${manifest.adapter.rank}, alpha ${manifest.adapter.alpha}, ${plural(manifest.adapter.layers.length, 'layer')}, head ${manifest.adapter.headMode}`,
    ],
    ['Rounds', rounds === manifest.rounds ? rounds : `${rounds}, ${manifest.rounds} of them announced at first`],
    ['Local steps', manifest.localSteps],
    ['Unit of privacy', unitTextOf(manifest)],
    ['Expected batch size', `${manifest.expectedLotSize} ${unitOfRun(manifest)}s`],
    [
      'Clip norm',
      adaptiveClipping
        ? `${manifest.clipNorm} at first, ${run.clipNorm ?? manifest.clipNorm} by now`
        : manifest.clipNorm,
    ],
    ['Newest factors', run.refactorisation && factorsText(run.refactorisation)],
    ['Learning rate', manifest.learningRate],
    ['Momentum', manifest.momentum],
    ['Feature scale', model.featureScale],
    ['Asked of each client', `epsilon ${target.epsilon} per ${unitOfRun(manifest)} at δ ${small(target.delta)}`],
    [
      'Privacy of clients',
      clientLevel &&
        `epsilon ${clientLevel.budget.epsilon} per client at δ ${small(clientLevel.budget.delta)}, noise multiplier ${significant(clientLevel.noiseMultiplier)}, clip norm ${run.clientClipNorm ?? clientLevel.clipNorm}`,
    ],
    ...(buffer === undefined
      ? ([
          ['Clients per round', `${clientsPerRound}, quorum ${quorum}`],
          ['Over-selection', overSelection === 1 ? 'none' : `${overSelection} times as many are asked`],
          ['Deadline', `${deadlineSeconds} s`],
        ] as const)
      : ([
          ['Clients training at a time', clientsPerRound],
          ['Deadline of a buffer', `${deadlineSeconds} s, then it closes with ${plural(quorum, 'update')} or more`],
        ] as const)),
    ['Seed', manifest.seed],
    ['Opened', createdAt && dateTime(createdAt)],
    ['Ended', endedAt && dateTime(endedAt)],
    ['Newest model version', adapter],
  ]
  return (
    <Panel title="Configuration">
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

function modeOf(run: RunSnapshot): string {
  const buffer = bufferOf(run.manifest)
  if (buffer === undefined) return 'synchronous, round by round'
  const { bufferSize, stalenessExponent } = buffer
  return `buffered: every ${plural(bufferSize, 'update')} make a state; one that is s states old counts (1 + s)^−${stalenessExponent} times`
}

function factorsText({ round, device, seconds, fallbacks }: NonNullable<RunSnapshot['refactorisation']>): string {
  const without = fallbacks > 0 ? `, ${plural(fallbacks, 'layer')} of them without it` : ''
  return `those after round ${roundNumber(round)} were made on ${device} in ${significant(seconds)} s${without}`
}

function lateOf(manifest: RunSnapshot['manifest']): string {
  const { maxStaleness } = resolveManifest(manifest)
  return `moved to the newest basis and counted there, up to ${plural(maxStaleness, 'state')} old`
}
