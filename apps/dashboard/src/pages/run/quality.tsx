import { roundNumber } from '@fedsvd/core/errors'
import type { Evaluation, RunSnapshot } from '@fedsvd/core/protocol'
import { Text } from '@mantine/core'
import { memo, useCallback } from 'react'
import { Chart } from '../../charts/chart.tsx'
import type { Ink } from '../../charts/chart-theme.ts'
import { MICRO_F1, qualityOption } from '../../charts/quality-option.ts'
import { Panel } from '../../components/panel.tsx'
import { Empty } from '../../components/state.tsx'
import { percent } from '../../format.ts'
import { newestEvaluation } from '../../run-facts.ts'
import { texts } from '../../texts/index.ts'

/** What the model is worth, round by round, on the coordinator's public hold-out. */
export const Quality = memo(function Quality({ run }: { readonly run: RunSnapshot }) {
  const { rounds, baseline, best } = run
  const evaluation = newestEvaluation(run)
  const option = useCallback((ink: Ink) => qualityOption(rounds, baseline, ink), [rounds, baseline])
  return (
    <Panel title="Accuracy and loss">
      {evaluation === undefined ? (
        <Empty>Nothing measured yet. A coordinator measures only where it was started with a public --hold-out.</Empty>
      ) : (
        <>
          <Chart height={300} option={option} label={describe(evaluation, baseline)} />
          {best !== undefined && (
            <Text size="sm">
              Best: round {roundNumber(best.round)}, accuracy {percent(best.accuracy)}.
            </Text>
          )}
        </>
      )}
    </Panel>
  )
})

function describe({ accuracy, microF1, records }: Evaluation, baseline: RunSnapshot['baseline']): string {
  const tags = microF1 === undefined ? '' : `, the ${MICRO_F1} ${microF1.toFixed(3)}`
  const guess = baseline ? `, ${texts.run.majorityBaseline(percent(baseline.majority))}` : ''
  return `Accuracy and loss per round; the newest accuracy is ${percent(accuracy)} on ${records} public records${guess}${tags}`
}
