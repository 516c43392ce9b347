import { unitOfRun } from '@fedsvd/core/accounting'
import type { RunPrice, RunRequest, SitePrice } from '@fedsvd/core/protocol'
import { Text } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import { Epsilon } from '../../components/epsilon.tsx'
import { Notice } from '../../components/notice.tsx'
import { Pages } from '../../components/pages.tsx'
import { Panel } from '../../components/panel.tsx'
import { Scroll } from '../../components/scroll.tsx'
import { Empty, Loaded } from '../../components/state.tsx'
import { significant, small } from '../../format.ts'
import { texts } from '../../texts/index.ts'
import { readinessOf } from './readiness.ts'

const ROWS = 50

/** What the run would cost each site that is enrolled, as the coordinator prices it. */
export function Projection(props: {
  readonly request: RunRequest | undefined
  readonly price: UseQueryResult<RunPrice>
}) {
  const { request: wanted, price } = props
  return (
    <Panel title={texts.newRun.cost}>
      <Text size="sm" className="muted" mb="sm">
        {texts.newRun.costHelp(unitOfRun(wanted ?? {}), wanted && small(wanted.target.delta))}
      </Text>
      {wanted === undefined ? (
        <Empty>{texts.newRun.completeForm}</Empty>
      ) : (
        <Loaded answer={price} what="the prices">
          {({ rounds, clients }) =>
            clients.length === 0 ? (
              <Empty>{texts.newRun.nobody}</Empty>
            ) : (
              <Pages items={clients} size={ROWS} label={texts.newRun.prices}>
                {(items) => <Costs rounds={rounds} clients={items} />}
              </Pages>
            )
          }
        </Loaded>
      )}
    </Panel>
  )
}

function Costs({ rounds, clients }: { readonly rounds: number; readonly clients: readonly SitePrice[] }) {
  return (
    <Scroll label={texts.newRun.prices} minWidth={720}>
      <thead>
        <tr>
          <th>Site</th>
          <th className="number">Declared records</th>
          <th className="number">Spent before</th>
          <th className="number">Noise multiplier</th>
          <th className="number">This run</th>
          <th className="number">Rounds it can pay</th>
          <th>Note</th>
        </tr>
      </thead>
      <tbody>
        {clients.map(({ clientId, name, standing, reason, ...price }) => {
          const { declaredRecords, epsilonSpent, noiseMultiplier, epsilonOfRun, roundsAffordable } = price
          return (
            <tr key={clientId}>
              <td>{name}</td>
              <td className="number">{declaredRecords ?? '–'}</td>
              <td className="number">{epsilonSpent === 0 ? '0' : <Epsilon value={epsilonSpent} />}</td>
              <td className="number">{noiseMultiplier === undefined ? '–' : significant(noiseMultiplier)}</td>
              <td className="number">{epsilonOfRun === undefined ? '–' : <Epsilon value={epsilonOfRun} />}</td>
              <td className="number">{roundsAffordable === undefined ? '–' : `${roundsAffordable} of ${rounds}`}</td>
              <td>
                {[
                  ...(standing === 'ready' ? [] : [texts.newRun.standings[standing]]),
                  ...(reason ? [reason] : []),
                ].join(': ')}
              </td>
            </tr>
          )
        })}
      </tbody>
    </Scroll>
  )
}

/** Beside the button that starts the run: whether it could begin. */
export function Readiness({ price }: { readonly price: RunPrice }) {
  const { isReady, text } = readinessOf(price)
  if (isReady) return <Text size="sm">{text}</Text>
  return <Notice kind="warning" role="status" title={text} />
}
