import { bufferOf, type PlanChange, planOf, type RunPlan, type RunSnapshot } from '@fedsvd/core/protocol'
import { Button, Group, NumberInput, Stack, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { request } from '../../api/http.ts'
import { runKey } from '../../api/queries.ts'
import { Confirm } from '../../components/confirm.tsx'
import { Panel } from '../../components/panel.tsx'
import { Failure } from '../../components/state.tsx'
import { dateTime, plural } from '../../format.ts'
import { texts } from '../../texts/index.ts'

type Act = (route: string, body: object) => Promise<void>

/** What an operator may do to a run that has not ended. */
export function Controls({ run }: { readonly run: RunSnapshot }) {
  const cache = useQueryClient()
  const act: Act = async (route, body) => {
    const [method, action] = route.split(' ')
    const snapshot = await request<RunSnapshot>(`${method} /v1/runs/${run.runId}/${action}`, body)
    cache.setQueryData(runKey(run.runId), snapshot)
  }
  return (
    <Panel title="Controls" aside={<Standing run={run} act={act} />}>
      <Plan key={run.plan?.version ?? 0} run={run} act={act} />
    </Panel>
  )
}

/** Pause or resume, and stop. */
function Standing({ run, act }: { readonly run: RunSnapshot; readonly act: Act }) {
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const isPaused = run.state === 'paused'
  const turn = async (): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      await act(isPaused ? 'POST resume' : 'POST pause', {})
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <Button size="xs" variant={isPaused ? 'filled' : 'default'} loading={isBusy} onClick={() => void turn()}>
          {isPaused ? 'Resume' : 'Pause'}
        </Button>
        <Confirm
          label={texts.run.stop}
          title={texts.run.stopTitle(run.name)}
          yes={texts.run.stopYes}
          onYes={() => act('POST stop', {})}
        >
          {texts.run.stopHelp}
        </Confirm>
      </Group>
      {error !== undefined && <Failure error={error} />}
    </Stack>
  )
}

interface Field {
  readonly key: keyof RunPlan
  readonly label: string
  readonly help: string
}

const FIELDS: readonly Field[] = [
  { key: 'rounds', label: 'Rounds in all', help: 'More extends the run, as far as budgets reach.' },
  { key: 'quorum', label: 'Quorum', help: 'Updates that a round needs.' },
  { key: 'clientsPerRound', label: 'Clients asked', help: 'In each round.' },
  { key: 'deadlineSeconds', label: 'Deadline (seconds)', help: 'Without a quorum by then, another term.' },
]

const OF_A_BUFFER: readonly Field[] = [
  { key: 'rounds', label: 'States in all', help: 'More extends the run, as far as budgets reach.' },
  { key: 'quorum', label: 'Fewest updates', help: 'With which a buffer closes at its deadline.' },
  { key: 'clientsPerRound', label: 'Clients training', help: 'At most, at a time.' },
  {
    key: 'deadlineSeconds',
    label: 'Deadline (seconds)',
    help: 'For a buffer to fill; with too few updates, another term.',
  },
]

function Plan({ run, act }: { readonly run: RunSnapshot; readonly act: Act }) {
  const inForce = planOf(run.manifest, run.plan)
  const [plan, setPlan] = useState<RunPlan>(inForce)
  const [error, setError] = useState<unknown>()
  const [isBusy, setBusy] = useState(false)
  const change = changeOf(inForce, plan)
  const fault = faultOf(plan, run)
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      await act('PATCH plan', change)
    } catch (refusal) {
      setError(refusal)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)} noValidate>
      <div className="fields">
        {(bufferOf(run.manifest) === undefined ? FIELDS : OF_A_BUFFER).map(({ key, label, help }) => (
          <NumberInput
            key={key}
            label={label}
            description={help}
            value={plan[key]}
            min={1}
            allowDecimal={key === 'deadlineSeconds'}
            onChange={(value) => setPlan((before) => ({ ...before, [key]: value === '' ? Number.NaN : Number(value) }))}
          />
        ))}
      </div>
      <Button
        mt="sm"
        type="submit"
        size="xs"
        loading={isBusy}
        disabled={Object.keys(change).length === 0 || fault !== undefined}
      >
        Change from the next {bufferOf(run.manifest) === undefined ? 'round' : 'buffer'} on
      </Button>
      {fault !== undefined && (
        <Text size="sm" className="fault" role="alert" mt="xs">
          {fault}
        </Text>
      )}
      {error !== undefined && <Failure error={error} />}
      <Text size="sm" className="muted" mt="xs">
        {texts.run.changesApply}
        {run.plan?.changedAt !== undefined && ` Last changed ${dateTime(run.plan.changedAt)}.`}
      </Text>
    </form>
  )
}

function changeOf(before: RunPlan, after: RunPlan): PlanChange {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => value !== before[key as keyof RunPlan]))
}

function faultOf({ rounds, quorum, clientsPerRound, deadlineSeconds }: RunPlan, run: RunSnapshot): string | undefined {
  const isWhole = [rounds, quorum, clientsPerRound].every((value) => Number.isInteger(value) && value >= 1)
  if (!isWhole || !(deadlineSeconds > 0)) return texts.run.wholeNumbers
  if (quorum > clientsPerRound) return `A quorum is at most the number of clients asked, ${clientsPerRound}.`
  const buffer = bufferOf(run.manifest)
  if (buffer !== undefined && quorum > buffer.bufferSize)
    return `The fewest updates are at most the buffer size, ${buffer.bufferSize}.`
  const begun = run.roundsDone + (run.current === undefined ? 0 : 1)
  if (rounds < begun)
    return `${plural(begun, 'round')} ${begun === 1 ? 'has' : 'have'} begun; stop the run to end it earlier.`
  return undefined
}
