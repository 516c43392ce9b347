import { roundNumber } from '@fedsvd/core/errors'
import { NumberInput, SegmentedControl, Stack, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useCallback, useMemo, useState } from 'react'
import { useAnswer } from '../accountant/accountant-client.ts'
import type { PlanQuestionOfPage, Point } from '../accountant/questions.ts'
import { Chart } from '../charts/chart.tsx'
import { type Ink, roundAxis, valueAxis } from '../charts/chart-theme.ts'
import { Epsilon, EpsilonUnit } from '../components/epsilon.tsx'
import { Figure } from '../components/figure.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Panel } from '../components/panel.tsx'
import { Failure } from '../components/state.tsx'
import { epsilonBound, plural, significant, small } from '../format.ts'

const START = {
  epsilon: 6,
  delta: 1e-5,
  records: 5000,
  lot: 128,
  localSteps: 10,
  rounds: 100,
  noiseMultiplier: 1,
  earlierRuns: 0,
}
type Plan = typeof START

const FIELDS: readonly {
  readonly key: keyof Plan
  readonly label: string
  readonly help: string
  readonly step: number
  readonly isWhole?: boolean
}[] = [
  { key: 'epsilon', label: 'Budget (epsilon)', help: 'What a data set may spend at most, per record.', step: 0.5 },
  { key: 'delta', label: 'δ', help: 'At most one over the number of records.', step: 1e-6 },
  { key: 'records', label: 'Declared records', help: 'The public size that a site states.', step: 100, isWhole: true },
  { key: 'lot', label: 'Expected batch size', help: 'Records that a step draws on average.', step: 16, isWhole: true },
  {
    key: 'localSteps',
    label: 'Local steps per round',
    help: 'DP-SGD steps of one client in one round.',
    step: 1,
    isWhole: true,
  },
  { key: 'rounds', label: 'Rounds', help: 'Rounds in which the client takes part.', step: 10, isWhole: true },
  {
    key: 'earlierRuns',
    label: 'Earlier runs like this one',
    help: 'Over the same data. Runs that are chosen one after the other are charged by a filter, not by PLD.',
    step: 1,
    isWhole: true,
  },
]

/** What a plan costs, before anything is spent: the accountant of the clients, in this browser. */
export default function WhatIf() {
  const [plan, setPlan] = useState<Plan>(START)
  const [solves, setSolves] = useState<'noise' | 'rounds'>('noise')
  const [settled] = useDebouncedValue(plan, 150)
  const fault = faultOf(settled)
  const question = useMemo(
    () => (fault === undefined ? questionOf(settled, solves) : undefined),
    [settled, solves, fault],
  )
  const answer = useAnswer('plan', question)
  const set = (key: keyof Plan) => (value: number | string) =>
    setPlan((before) => ({ ...before, [key]: Number(value) }))
  const { data } = answer
  const sampleRate = settled.lot / settled.records
  return (
    <Stack>
      <PageTitle>What if</PageTitle>
      <Text className="muted">Nothing here is spent or sent: the accountant of the clients runs in this browser.</Text>
      <div className="columns">
        <Panel title="Plan">
          <Stack gap="sm">
            <SegmentedControl
              fullWidth
              value={solves}
              onChange={(value) => setSolves(value as typeof solves)}
              data={[
                { value: 'noise', label: 'Find the noise' },
                { value: 'rounds', label: 'Find the rounds' },
              ]}
              aria-label="What is to be found"
            />
            {FIELDS.map(({ key, label, help, step, isWhole }) => (
              <NumberInput
                key={key}
                label={label}
                description={help}
                value={plan[key]}
                onChange={set(key)}
                step={step}
                min={0}
                allowDecimal={!isWhole}
                decimalScale={key === 'delta' ? 10 : 6}
              />
            ))}
            {solves === 'rounds' && (
              <NumberInput
                label="Noise multiplier"
                description="Standard deviation of the noise over the sensitivity."
                value={plan.noiseMultiplier}
                onChange={set('noiseMultiplier')}
                step={0.05}
                min={0}
              />
            )}
          </Stack>
        </Panel>
        <Panel title="Outcome">
          {fault !== undefined && (
            <Text className="fault" role="alert">
              {fault}
            </Text>
          )}
          {answer.error && fault === undefined ? <Failure error={answer.error} /> : null}
          <div aria-live="polite" aria-busy={answer.isFetching}>
            {data !== undefined && fault === undefined && (
              <Stack>
                <div className="figures">
                  <Figure
                    label="Noise multiplier"
                    note={`sampling rate ${significant(sampleRate)}; enough for ${plural(data.spareSteps, 'spare step')}`}
                  >
                    {significant(data.noiseMultiplier)}
                  </Figure>
                  <Figure label="After one round">
                    <Epsilon value={data.epsilonOfOneRound} delta={settled.delta} />
                  </Figure>
                  <Figure
                    label={
                      data.epsilonFilter === undefined ? `After ${plural(settled.rounds, 'round')}` : 'After all runs'
                    }
                    note={
                      data.epsilonFilter === undefined
                        ? 'by PLD, which holds for a first run: its schedule is fixed before it begins'
                        : "as the filter of the site's ledger charges it, where the first run left room"
                    }
                  >
                    <Epsilon value={data.epsilonFilter ?? data.epsilonPld} delta={settled.delta} />
                  </Figure>
                  {data.epsilonFilter === undefined ? (
                    <Figure label="The same by RDP" note="looser">
                      <Epsilon value={data.epsilonRdp} delta={settled.delta} />
                    </Figure>
                  ) : (
                    <Figure label="The same by PLD" note="an odometer: no bound over runs chosen one by one">
                      <Epsilon value={data.epsilonPld} delta={settled.delta} />
                    </Figure>
                  )}
                  <Figure
                    label="Rounds affordable"
                    note={
                      data.roundsAffordable < settled.rounds
                        ? `runs out before round ${roundNumber(data.roundsAffordable)}`
                        : 'the budget lasts'
                    }
                  >
                    {data.roundsAffordable >= 10 * settled.rounds
                      ? `${10 * settled.rounds} or more`
                      : data.roundsAffordable}
                  </Figure>
                </div>
                {settled.earlierRuns === 0 && <Curve plan={settled} noiseMultiplier={data.noiseMultiplier} />}
              </Stack>
            )}
          </div>
          {data === undefined && answer.isFetching && <Text role="status">Computing</Text>}
        </Panel>
      </div>
    </Stack>
  )
}

const NO_POINTS: readonly Point[] = []

function Curve({ plan, noiseMultiplier }: { readonly plan: Plan; readonly noiseMultiplier: number }) {
  const { epsilon: budget, delta, lot, records, localSteps, rounds } = plan
  const question = useMemo(
    () => ({ sampleRate: lot / records, noiseMultiplier, localSteps, rounds, delta }),
    [lot, records, noiseMultiplier, localSteps, rounds, delta],
  )
  const { data: points = NO_POINTS } = useAnswer('curve', question)
  const option = useCallback(
    (ink: Ink) => ({
      grid: { outerBoundsMode: 'none', top: 36, left: 48, right: 16, bottom: 40 },
      xAxis: roundAxis(ink, { name: 'rounds taken part in', min: 0 }),
      yAxis: valueAxis(ink, 'epsilon ≤', {
        min: 0,
        max: (extent: { max: number }) => Math.max(extent.max, budget) * 1.08,
        axisLabel: {
          color: ink.muted,
          showMaxLabel: false,
          formatter: (value: number) => String(Number(value.toFixed(2))),
        },
      }),
      legend: { show: false },
      tooltip: { valueFormatter: (value: unknown) => epsilonBound(Number(value)) },
      series: [
        {
          type: 'line',
          name: 'epsilon',
          showSymbol: false,
          data: points,
          markLine: {
            symbol: 'none',
            silent: true,
            lineStyle: { color: ink.text, type: 'dashed' },
            label: { formatter: `budget ${budget}`, position: 'insideStartTop', color: ink.text },
            data: [{ yAxis: budget }],
          },
        },
      ],
    }),
    [points, budget],
  )
  return (
    <div>
      <Chart height={260} option={option} isBusy={points.length === 0} label="Epsilon over rounds, with the budget" />
      <EpsilonUnit delta={delta} />
    </div>
  )
}

function questionOf(
  { epsilon, delta, records, lot, localSteps, rounds, noiseMultiplier, earlierRuns }: Plan,
  solves: 'noise' | 'rounds',
): PlanQuestionOfPage {
  const question = { budget: { epsilon, delta }, sampleRate: lot / records, localSteps, rounds, earlierRuns }
  return solves === 'noise' ? question : { ...question, noiseMultiplier }
}

function faultOf({
  epsilon,
  delta,
  records,
  lot,
  localSteps,
  rounds,
  noiseMultiplier,
  earlierRuns,
}: Plan): string | undefined {
  const isWhole = [records, lot, localSteps, rounds].every((value) => Number.isInteger(value) && value >= 1)
  if (!isWhole) return 'Records, batch size, steps and rounds must be whole numbers of at least 1.'
  if (!(epsilon > 0 && epsilon <= 1000)) return 'Epsilon is above 0, and at most 1000.'
  if (!(delta > 0 && delta < 1)) return 'δ is between 0 and 1.'
  if (delta > 1 / records) return `δ is at most 1 / records, which is ${small(1 / records)}.`
  if (lot > records) return 'The expected batch size is at most as large as the data.'
  if (!(noiseMultiplier > 0)) return 'The noise multiplier is above 0.'
  if (!(Number.isInteger(earlierRuns) && earlierRuns >= 0)) return 'Earlier runs are a whole number from 0 on.'
  if (rounds * localSteps * (1 + earlierRuns) > 10_000_000) return 'At most ten million steps in all.'
  return undefined
}
