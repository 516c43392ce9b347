import { roundNumber } from '@fedsvd/core/errors'
import { isRunOver, type RunSnapshot } from '@fedsvd/core/protocol'
import { significant, upperBound } from '../figures.ts'
import { table } from '../output.ts'

/** The accuracy of the newest round that was measured: at the sites where the run evaluates at them. */
export function accuracyOf({ rounds, manifest }: Pick<RunSnapshot, 'rounds' | 'manifest'>): number | undefined {
  const onHoldOut = rounds.findLast(({ evaluation }) => evaluation !== undefined)?.evaluation?.accuracy
  if (manifest.siteEvaluation === undefined) return onHoldOut
  return rounds.findLast(({ siteEvaluation }) => siteEvaluation !== undefined)?.siteEvaluation?.accuracy ?? onHoldOut
}

/** The most that one of the sites has spent. */
export function highestEpsilon({ clients }: RunSnapshot): number {
  return Math.max(0, ...clients.map(({ epsilonUpperBound }) => epsilonUpperBound))
}

/** A line for each run. */
export function runsText(runs: readonly RunSnapshot[]): string {
  if (runs.length === 0) return 'No runs. `fedsvd run create` makes one.'
  const rows = runs.map((run) => [
    run.runId,
    run.name,
    run.state,
    run.manifest.model.name,
    progressOf(run),
    accuracyOf(run)?.toFixed(4) ?? '-',
    upperBound(highestEpsilon(run)),
    run.clients.length,
  ])
  return table([['identifier', 'name', 'state', 'model', 'rounds', 'accuracy', 'highest epsilon <=', 'sites'], ...rows])
}

export function progressOf({ roundsDone, plan, manifest }: RunSnapshot): string {
  return `${roundsDone}/${plan?.rounds ?? manifest.rounds}`
}

/** One run, for people. */
export function runText(run: RunSnapshot): string {
  const { manifest, plan = manifest, baseline } = run
  const accuracy = accuracyOf(run)
  const facts: [string, string | undefined][] = [
    ['run', run.runId],
    ['name', run.name],
    ['state', run.reason === undefined ? run.state : `${run.state} (${run.reason})`],
    ['NOT PRIVATE', run.notPrivate],
    ['model', manifest.model.name],
    ['task', manifest.task],
    ['rounds', progressOf(run)],
    ['now', isRunOver(run.state) ? undefined : currentText(run)],
    ['accuracy', accuracy === undefined ? undefined : `${accuracy.toFixed(4)}${baselineText(baseline)}`],
    [
      'sites per round',
      `${plan.clientsPerRound}, of which ${plan.quorum} close a round within ${plan.deadlineSeconds} s`,
    ],
    ['asked of each site', `epsilon ${manifest.target.epsilon} at delta ${manifest.target.delta}`],
    ['created', run.createdAt],
    ['ended', run.endedAt],
  ]
  const shown = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(20)}${value}`]))
  const sites = run.clients.map((site) => [
    site.name,
    site.connected ? 'connected' : 'not connected',
    site.steps,
    upperBound(site.epsilonUpperBound),
    significant(site.budget),
    site.unit,
    site.exhausted ? 'budget used' : '',
  ])
  const alerts = run.alerts.map(({ at, code, message }) => `  ${at}  ${code}  ${message}`)
  return [
    ...shown,
    ...(sites.length === 0
      ? []
      : ['', table([['site', '', 'steps', 'epsilon spent <=', 'budget', 'unit', ''], ...sites])]),
    ...siteEvaluationText(run),
    ...(run.leftOut === undefined ? [] : ['', 'left out', ...run.leftOut.map(leftOutText)]),
    ...(alerts.length === 0 ? [] : ['', 'alerts', ...alerts]),
  ].join('\n')
}

function leftOutText({ name, code, message }: NonNullable<RunSnapshot['leftOut']>[number]): string {
  return `  ${name}  ${code}  ${message}`
}

/** What the sites measured on records that they do not train on: of each round, and of the newest one by site. */
export function siteEvaluationText({ rounds, best }: Pick<RunSnapshot, 'rounds' | 'best'>): readonly string[] {
  const measured = rounds.flatMap(({ round, siteEvaluation }) => (siteEvaluation ? [{ round, ...siteEvaluation }] : []))
  const newest = measured.at(-1)
  if (newest === undefined) return []
  const isBest = (round: number): string => (best?.measuredBy === 'sites' && best.round === round ? 'best' : '')
  const interval = ({ low, high }: { readonly low: number; readonly high: number }): string =>
    `${low.toFixed(3)} to ${high.toFixed(3)}`
  const rows = measured.map((one) => [
    roundNumber(one.round),
    one.accuracy.toFixed(3),
    interval(one.interval),
    one.majority?.toFixed(3) ?? '-',
    one.calibrationError?.toFixed(3) ?? '-',
    one.sites.length,
    isBest(one.round),
  ])
  const sites = newest.sites.map((site) => [
    site.name,
    site.accuracy.toFixed(3),
    interval(site.interval),
    Math.round(site.units),
  ])
  return [
    '',
    'measured at the sites, on records that they do not train on (noised; intervals at 95 %)',
    table([['round', 'accuracy', 'interval', 'majority class', 'calibration error', 'sites', ''], ...rows]),
    '',
    `after round ${roundNumber(newest.round)}, by site`,
    table([['site', 'accuracy', 'interval', 'units, about'], ...sites]),
  ]
}

/** What the round under way waits for. */
export function currentText({ current }: RunSnapshot): string | undefined {
  if (current === undefined) return undefined
  const { round, selected, received, state } = current
  return `round ${roundNumber(round)}: ${state === 'tasked' ? 'sites training' : state}, ${received.length} of ${selected.length} received`
}

function baselineText(baseline: RunSnapshot['baseline']): string {
  return baseline === undefined ? '' : ` (majority-class baseline ${baseline.majority.toFixed(4)})`
}
