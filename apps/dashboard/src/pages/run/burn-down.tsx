import { unitOfRun } from '@fedsvd/core/accounting'
import { type ClientSpending, planOf, type RunSnapshot } from '@fedsvd/core/protocol'
import { Anchor, NativeSelect, Text } from '@mantine/core'
import { useQueries } from '@tanstack/react-query'
import { memo, useCallback, useDeferredValue, useMemo, useState } from 'react'
import { Link } from 'wouter'
import { ask } from '../../accountant/accountant-client.ts'
import type { BurnDownQuestion, BurnDown as Curve } from '../../accountant/questions.ts'
import { useLedger } from '../../api/queries.ts'
import { burnDownOption } from '../../charts/burn-down-option.ts'
import { Chart } from '../../charts/chart.tsx'
import type { Ink } from '../../charts/chart-theme.ts'
import { BudgetBar, Epsilon } from '../../components/epsilon.tsx'
import { Pages } from '../../components/pages.tsx'
import { Panel } from '../../components/panel.tsx'
import { Scroll } from '../../components/scroll.tsx'
import { Empty, Loaded } from '../../components/state.tsx'
import { small } from '../../format.ts'
import { byRemaining, givenShare, shortfallOf } from '../../remaining.ts'
import { type Client, isOpen, isUsedUp } from '../../run-facts.ts'
import { texts } from '../../texts/index.ts'

/** Curves are drawn for so many clients at a time: the ones closest to their budgets. */
const MOST_DRAWN = 6
const ROWS = 25

/** Who has how much privacy left, and until when. */
export const BurnDown = memo(function BurnDown({ run }: { readonly run: RunSnapshot }) {
  const ledger = useLedger(run)
  return (
    <Panel title="Privacy spent">
      <Text size="sm" className="muted" mb="sm">
        Epsilon per {unitOfRun(run.manifest)} (add or remove one), an upper bound by PLD at each client's own δ,
        computed in this browser from the facts of the ledger by the accountant that the clients and the coordinator
        run. It is an odometer: what was spent so far. The guarantee is the budget, which each site's own ledger
        enforces; a cap over several runs is held by the coordinator's filter. The dotted lines go on as if a client
        were asked in every round to come.
      </Text>
      <Loaded answer={ledger} what="the ledger">
        {(clients) =>
          clients.length === 0 ? <Empty>No client takes part yet.</Empty> : <Curves run={run} clients={clients} />
        }
      </Loaded>
    </Panel>
  )
})

function Curves({ run, clients }: { readonly run: RunSnapshot; readonly clients: readonly ClientSpending[] }) {
  const [shown, setShown] = useState('')
  const sorted = useMemo(() => {
    const places = new Map(byRemaining(run).map(({ clientId }, place) => [clientId, place]))
    const placeOf = ({ clientId }: ClientSpending): number => places.get(clientId) ?? places.size
    return clients.toSorted((left, right) => placeOf(left) - placeOf(right))
  }, [clients, run])
  const drawn = useMemo(
    () => (shown === '' ? sorted.slice(0, MOST_DRAWN) : sorted.filter(({ clientId }) => clientId === shown)),
    [shown, sorted],
  )
  return (
    <>
      {clients.length > 1 && (
        <NativeSelect
          label="Show sites"
          size="xs"
          mb="xs"
          maw={320}
          value={shown}
          onChange={(event) => setShown(event.currentTarget.value)}
          data={[
            { value: '', label: clients.length > MOST_DRAWN ? `the ${MOST_DRAWN} closest to their budgets` : 'all' },
            ...sorted.map(({ clientId, name }) => ({ value: clientId, label: name })),
          ]}
        />
      )}
      <CurveChart run={run} clients={drawn} />
      <Pages items={sorted} size={ROWS} label="clients">
        {(items) => <CurveTable run={run} clients={items} />}
      </Pages>
    </>
  )
}

/** The accountant's answers for clients, each undefined until it is there; those before stay meanwhile. */
function useCurves(run: RunSnapshot, clients: readonly ClientSpending[], isBrief: boolean) {
  const queries = useMemo(
    () =>
      clients.map((client) => {
        const question = questionOf(run, client, isBrief)
        return {
          queryKey: ['burn-down', client.clientId, question], // no two alike: clients may share their terms
          queryFn: ({ signal }: { signal: AbortSignal }) => ask('burnDown', question, signal),
          staleTime: Number.POSITIVE_INFINITY,
          gcTime: 60_000,
          placeholderData: (before: Curve | undefined) => before,
        }
      }),
    [run, clients, isBrief],
  )
  return useDeferredValue(useQueries({ queries, combine: dataOf }))
}

function dataOf(answers: readonly { readonly data: Curve | undefined }[]): readonly (Curve | undefined)[] {
  return answers.map(({ data }) => data)
}

function questionOf(run: RunSnapshot, client: ClientSpending, isBrief: boolean): BurnDownQuestion {
  const { terms, mechanisms, cap } = client
  const { manifest, roundsDone } = run
  const { rounds } = planOf(run.manifest, run.plan)
  const spent = mechanisms
    .flatMap(({ sampleRate, noiseMultiplier, spent }) =>
      spent.map(([round, steps]) => ({ round, steps, sampleRate, noiseMultiplier })),
    )
    .sort((left, right) => left.round - right.round)
  const { sampleRate, noiseMultiplier, budget } = terms
  const open = Math.max(roundsDone, (spent.at(-1)?.round ?? -1) + 1)
  return {
    spent: isBrief ? mechanisms.map(merged) : spent,
    next: { sampleRate, noiseMultiplier, steps: manifest.localSteps },
    budget,
    roundsDone: open,
    rounds: isOpen(run) ? rounds : open,
    ...(cap && { cap }),
    ...(isBrief && { isBrief }),
  }
}

/** One event for all rounds: enough where only the sum counts. */
function merged({ sampleRate, noiseMultiplier, spent }: ClientSpending['mechanisms'][number]) {
  const steps = spent.reduce((sum, [, one]) => sum + one, 0)
  return { round: spent.at(-1)?.[0] ?? 0, sampleRate, noiseMultiplier, steps }
}

function CurveChart({ run, clients }: { readonly run: RunSnapshot; readonly clients: readonly ClientSpending[] }) {
  const { rounds } = planOf(run.manifest, run.plan)
  const curves = useCurves(run, clients, false)
  const everybody = run.clients.map(({ clientId }) => clientId).join()
  const lines = useMemo(() => {
    const places = everybody.split(',')
    return clients.map((client, index) => ({
      ...client,
      curve: curves[index],
      // Among all sites of the run, so that a line has the same colour whoever else is drawn.
      place: Math.max(0, places.indexOf(client.clientId)),
    }))
  }, [clients, curves, everybody])
  const option = useCallback((ink: Ink) => burnDownOption(lines, rounds, ink), [lines, rounds])
  return (
    <Chart
      height={320}
      option={option}
      isBusy={clients.some((_, index) => curves[index] === undefined)}
      label={`Epsilon spent per round, with budgets, caps and projections, for ${clients.map(({ name }) => name).join(', ')}; the table below has the figures`}
    />
  )
}

function CurveTable({ run, clients }: { readonly run: RunSnapshot; readonly clients: readonly ClientSpending[] }) {
  const curves = useCurves(run, clients, true)
  const snapshots = useMemo(() => new Map(run.clients.map((client) => [client.clientId, client])), [run.clients])
  return (
    <Scroll label="Privacy spent per client" minWidth={680}>
      <thead>
        <tr>
          <th>Client</th>
          <th className="number">Epsilon so far</th>
          <th className="number">Budget</th>
          <th className="number">Cap, all runs</th>
          <th className="number">δ</th>
          <th>Spent</th>
          <th className="number">Sampling rate</th>
          <th className="number">Noise multiplier</th>
          <th>Runs out</th>
        </tr>
      </thead>
      <tbody>
        {clients.map((client, index) => (
          <Row
            key={client.clientId}
            run={run}
            client={client}
            curve={curves[index]}
            snapshot={snapshots.get(client.clientId)}
          />
        ))}
      </tbody>
    </Scroll>
  )
}

/** Drawn anew when its own curve arrives, and not with every other. */
const Row = memo(function Row(props: {
  readonly run: RunSnapshot
  readonly client: ClientSpending
  readonly curve: Curve | undefined
  readonly snapshot: Client | undefined
}) {
  const { run, client, curve, snapshot } = props
  const { clientId, name, terms, withdrawal, cap } = client
  return (
    <tr>
      <td>
        <Anchor component={Link} href={`/clients/${clientId}`}>
          {name}
        </Anchor>
        {snapshot && !snapshot.connected && isOpen(run) && (
          <Text span size="xs" className="muted">
            {' '}
            {texts.sites.offline}
          </Text>
        )}
      </td>
      <td className="number">
        <Epsilon value={snapshot?.epsilonUpperBound ?? 0} />
      </td>
      <td className="number">{terms.budget.epsilon}</td>
      <td className="number">{cap === undefined ? '–' : `${cap.epsilon} at δ ${small(cap.delta)}`}</td>
      <td className="number">{small(terms.budget.delta)}</td>
      <td>
        {snapshot !== undefined && (
          <BudgetBar name={name} share={givenShare(run, snapshot)} isShort={shortfallOf(run, snapshot) > 0} />
        )}
      </td>
      <td className="number">{terms.sampleRate.toPrecision(3)}</td>
      <td className="number">{terms.noiseMultiplier.toPrecision(4)}</td>
      <td>{runsOut(run, curve, snapshot !== undefined && isUsedUp(snapshot), withdrawal)}</td>
    </tr>
  )
})

function runsOut(
  run: RunSnapshot,
  curve: Curve | undefined,
  isExhausted: boolean,
  withdrawal: string | undefined,
): string {
  if (withdrawal !== undefined) return texts.run.left(withdrawal)
  if (!isOpen(run)) return isExhausted ? texts.run.usedUp(false) : texts.run.hasEnded
  if (curve === undefined) return 'computing'
  if (curve.runsOutAt === undefined) return texts.run.lastsToTheEnd
  const isByCap = curve.isByCap === true
  return curve.roundsLeft === 0 ? texts.run.usedUp(isByCap) : texts.run.runsOutBefore(curve.runsOutAt, isByCap)
}
