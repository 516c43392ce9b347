import { FedsvdError } from '@fedsvd/core/errors'
import { type ClientDetail, type RunManifest, type RunRequest, runRequestSchema } from '@fedsvd/core/protocol'
import { Button, NativeSelect, NumberInput, Stack, TagsInput, Text, TextInput, Title } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQueries, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useLocation } from 'wouter'
import { ask } from '../accounting/ask.ts'
import { summed } from '../accounting/summed.ts'
import { request } from '../api/http.ts'
import { RUNS, useClients } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { significant, small, upperBound } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { Scroll } from '../parts/scroll.tsx'
import { Empty, Failure, Loaded } from '../parts/state.tsx'

/** The form as it is filled in; numbers may be half typed. */
interface Form {
  readonly name: string
  readonly method: RunRequest['method']
  readonly model: string
  readonly maxTokens: number
  readonly featureScale: number
  readonly labels: readonly string[]
  readonly rank: number
  readonly alpha: number
  readonly headMode: 'trained' | 'frozen'
  readonly rounds: number
  readonly localSteps: number
  readonly expectedLotSize: number
  readonly clipNorm: number
  readonly learningRate: number
  readonly momentum: number
  readonly epsilon: number
  readonly delta: number
  readonly clientsPerRound: number
  readonly quorum: number
  readonly deadlineSeconds: number
  readonly seed: string
}

const START: Form = {
  name: '',
  method: 'fedsvd',
  model: 'starter',
  maxTokens: 128,
  featureScale: 10,
  labels: ['ham', 'spam'],
  rank: 8,
  alpha: 8,
  headMode: 'trained',
  rounds: 6,
  localSteps: 5,
  expectedLotSize: 128,
  clipNorm: 0.5,
  learningRate: 12,
  momentum: 0,
  epsilon: 6,
  delta: 1e-5,
  clientsPerRound: 3,
  quorum: 3,
  deadlineSeconds: 600,
  seed: 'fedsvd',
}

interface NumberField {
  readonly key: keyof { [K in keyof Form as Form[K] extends number ? K : never]: true }
  readonly label: string
  readonly help: string
  readonly step: number
  readonly isWhole?: boolean
}

const PRIVACY: readonly NumberField[] = [
  {
    key: 'epsilon',
    label: 'Budget asked of each client (epsilon)',
    help: 'Per record, for the whole run. The limit of a site always wins.',
    step: 0.5,
  },
  { key: 'delta', label: 'δ', help: 'Must be at most one over the records of every client.', step: 1e-6 },
  {
    key: 'rounds',
    label: 'Rounds',
    help: 'More rounds need more noise in each for the same budget.',
    step: 1,
    isWhole: true,
  },
  {
    key: 'localSteps',
    label: 'Local steps',
    help: 'DP-SGD steps of a client in a round. Each one is accounted for.',
    step: 1,
    isWhole: true,
  },
  {
    key: 'expectedLotSize',
    label: 'Expected lot',
    help: 'Records that a step draws on average. Larger lots drown the noise, and cost more of it.',
    step: 16,
    isWhole: true,
  },
  { key: 'clipNorm', label: 'Clip norm', help: 'The most that one record may move a step.', step: 0.1 },
]
const TRAINING: readonly NumberField[] = [
  { key: 'learningRate', label: 'Learning rate', help: 'Step size; scale it against the clip norm.', step: 0.5 },
  { key: 'momentum', label: 'Momentum', help: 'Heavy ball on the noised gradients; 0 is plain SGD.', step: 0.1 },
  { key: 'rank', label: 'Rank', help: 'Directions that each adapted layer may use.', step: 1, isWhole: true },
  { key: 'alpha', label: 'Alpha', help: 'The adapter counts alpha / rank times.', step: 1 },
  { key: 'maxTokens', label: 'Longest text (tokens)', help: 'Longer texts are cut.', step: 16, isWhole: true },
  {
    key: 'featureScale',
    label: 'Feature scale',
    help: 'Multiplies the encoder output before the head sees it.',
    step: 1,
  },
]
const ROUND: readonly NumberField[] = [
  {
    key: 'clientsPerRound',
    label: 'Clients asked per round',
    help: 'Chosen by the public seed among those that are there and can pay.',
    step: 1,
    isWhole: true,
  },
  {
    key: 'quorum',
    label: 'Quorum',
    help: 'Updates that a round needs; at most as many as are asked.',
    step: 1,
    isWhole: true,
  },
  {
    key: 'deadlineSeconds',
    label: 'Deadline (seconds)',
    help: 'Without a quorum by then the round waits for another term.',
    step: 60,
    isWhole: true,
  },
]

/** A run, explained, checked and priced before anything is spent. */
export default function NewRun() {
  const [form, setForm] = useState<Form>(START)
  const [error, setError] = useState<unknown>()
  const [isBusy, setBusy] = useState(false)
  const [, navigate] = useLocation()
  const cache = useQueryClient()
  const role = useRole()
  const { request: wanted, faults } = checked(form)
  const set = <K extends keyof Form>(key: K, value: Form[K]) => setForm((before) => ({ ...before, [key]: value }))
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (wanted === undefined) return
    setBusy(true)
    setError(undefined)
    try {
      const { runId } = await request<RunManifest>('POST /v1/runs', wanted)
      await cache.invalidateQueries({ queryKey: RUNS })
      navigate(`/runs/${runId}`)
    } catch (fault) {
      setError(fault)
      setBusy(false)
    }
  }
  if (role === 'auditor') return <Empty>Auditors see runs and cannot open them.</Empty>
  const numbers = (fields: readonly NumberField[]) =>
    fields.map(({ key, label, help, step, isWhole }) => (
      <NumberInput
        key={key}
        label={label}
        description={help}
        value={form[key]}
        step={step}
        min={0}
        allowDecimal={!isWhole}
        decimalScale={key === 'delta' ? 10 : 6}
        onChange={(value) => set(key, value === '' ? Number.NaN : Number(value))}
        error={faults.get(key)}
      />
    ))
  return (
    <Stack>
      <Title order={1}>New run</Title>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <Stack>
          <div className="columns">
            <Panel title="Task">
              <Stack gap="sm">
                <TextInput
                  label="Name"
                  description="How the run is shown; sites see it too."
                  required
                  value={form.name}
                  onChange={(event) => set('name', event.currentTarget.value)}
                  error={form.name === '' ? undefined : faults.get('name')}
                />
                <NativeSelect
                  label="Method"
                  description="fedsvd re-factorises by SVD after each round; ffa-lora keeps A frozen, the baseline."
                  data={['fedsvd', 'ffa-lora']}
                  value={form.method}
                  onChange={(event) => set('method', event.currentTarget.value as Form['method'])}
                />
                <TextInput
                  label="Model"
                  description="A frozen checkpoint that this coordinator knows."
                  value={form.model}
                  onChange={(event) => set('model', event.currentTarget.value)}
                  error={faults.get('model')}
                />
                <TagsInput
                  label="Labels"
                  description="Class names in order; press Enter after each."
                  value={[...form.labels]}
                  onChange={(labels) => set('labels', labels)}
                  error={faults.get('labels')}
                />
                <NativeSelect
                  label="Classification head"
                  description="Trained with the adapters under the same clip norm, or random and frozen as in the paper."
                  data={['trained', 'frozen']}
                  value={form.headMode}
                  onChange={(event) => set('headMode', event.currentTarget.value as Form['headMode'])}
                />
                <TextInput
                  label="Seed"
                  description="Public: of the initial adapter and of who is asked. Never of noise."
                  value={form.seed}
                  onChange={(event) => set('seed', event.currentTarget.value)}
                  error={faults.get('seed')}
                />
              </Stack>
            </Panel>
            <Panel title="Privacy">
              <Stack gap="sm">{numbers(PRIVACY)}</Stack>
            </Panel>
            <Panel title="Training">
              <Stack gap="sm">{numbers(TRAINING)}</Stack>
            </Panel>
            <Panel title="Rounds">
              <Stack gap="sm">{numbers(ROUND)}</Stack>
            </Panel>
          </div>
          <Projection request={wanted} />
          {error !== undefined && <Failure error={error} />}
          <div>
            <Button type="submit" loading={isBusy} disabled={wanted === undefined}>
              Open the run
            </Button>
            {wanted === undefined && (
              <Text size="sm" className="muted" mt={4}>
                {form.name === '' ? 'Give it a name first.' : 'Some field needs another value.'}
              </Text>
            )}
          </div>
        </Stack>
      </form>
    </Stack>
  )
}

/** The request, or what is wrong with each field, by the very schema that the coordinator checks with. */
function checked(form: Form): { readonly request?: RunRequest; readonly faults: ReadonlyMap<string, string> } {
  const { model, maxTokens, featureScale, rank, alpha, headMode, epsilon, delta, labels, ...rest } = form
  const result = runRequestSchema.safeParse({
    ...rest,
    labels: [...labels],
    model: { name: model, maxTokens, featureScale },
    adapter: { rank, alpha, headMode },
    target: { epsilon, delta },
  })
  const faults = new Map<string, string>()
  for (const { path, message } of result.error?.issues ?? []) {
    const field =
      path[0] === 'model' && path[1] === 'name' ? 'model' : String(path[0] === 'labels' ? 'labels' : path.at(-1))
    faults.set(field, message)
  }
  if (form.quorum > form.clientsPerRound) faults.set('quorum', `At most ${form.clientsPerRound}, as many as are asked`)
  if (new Set(labels).size < labels.length) faults.set('labels', 'Name each class once')
  return { faults, ...(result.success && faults.size === 0 && { request: result.data }) }
}

/** What the run would cost each client that is known, judged by what it has declared and spent before. */
function Projection({ request: wanted }: { readonly request: RunRequest | undefined }) {
  const clients = useClients()
  return (
    <Panel title="What it would cost each client" kind="public">
      <Text size="sm" className="muted" mb="sm">
        Sites choose their noise themselves. Shown is the least that keeps the whole run within the budget asked, for
        the records that each declared last; epsilon is per record{wanted && `, δ ${small(wanted.target.delta)}`}, by
        PLD. A site with less left adds more noise or stays out.
      </Text>
      <Loaded answer={clients} what="the clients">
        {(list) => {
          const eligible = list.filter(({ revokedAt }) => revokedAt === undefined)
          if (eligible.length === 0) return <Empty>No client is enrolled yet.</Empty>
          if (wanted === undefined) return <Empty>Complete the form to see it.</Empty>
          return <Costs request={wanted} clients={eligible} />
        }}
      </Loaded>
    </Panel>
  )
}

function Costs({
  request: wanted,
  clients,
}: {
  readonly request: RunRequest
  readonly clients: readonly { readonly clientId: string; readonly name: string; readonly connected: boolean }[]
}) {
  const [settled] = useDebouncedValue(wanted, 300)
  const { target, expectedLotSize, localSteps, rounds } = settled
  const shape = { epsilon: target.epsilon, delta: target.delta, expectedLotSize, localSteps, rounds }
  const costs = useQueries({
    queries: clients.map(({ clientId }) => ({
      queryKey: ['cost', clientId, shape],
      retry: false,
      staleTime: 30_000,
      queryFn: () => costOf(clientId, settled),
    })),
  })
  return (
    <Scroll label="Cost per client" minWidth={720}>
      <thead>
        <tr>
          <th>Client</th>
          <th className="number">Declared records</th>
          <th className="number">Spent before</th>
          <th className="number">Noise multiplier</th>
          <th className="number">After one round</th>
          <th className="number">After the run</th>
          <th className="number">With all before</th>
        </tr>
      </thead>
      <tbody>
        {clients.map(({ clientId, name, connected }, index) => {
          const { data, error } = costs[index]!
          return (
            <tr key={clientId}>
              <td>
                {name}
                {!connected && (
                  <Text span size="xs" className="muted">
                    {' '}
                    away
                  </Text>
                )}
              </td>
              {data === undefined || data === null ? (
                <td colSpan={6} className="muted">
                  {data === null
                    ? 'has declared nothing yet: it took part in no run'
                    : error
                      ? reasonOf(error)
                      : 'computing'}
                </td>
              ) : (
                <>
                  <td className="number">{data.records}</td>
                  <td className="number">{data.before === 0 ? '0' : `≤ ${upperBound(data.before)}`}</td>
                  <td className="number">{significant(data.noiseMultiplier)}</td>
                  <td className="number">≤ {upperBound(data.one)}</td>
                  <td className="number">≤ {upperBound(data.all)}</td>
                  <td className="number">≤ {upperBound(data.together)}</td>
                </>
              )}
            </tr>
          )
        })}
      </tbody>
    </Scroll>
  )
}

interface Cost {
  readonly records: number
  readonly before: number
  readonly noiseMultiplier: number
  readonly one: number
  readonly all: number
  readonly together: number
}

/** Null for a client that has declared nothing. */
async function costOf(
  clientId: string,
  { target, expectedLotSize, localSteps, rounds }: RunRequest,
): Promise<Cost | null> {
  const { runs } = await request<ClientDetail>(`GET /v1/clients/${clientId}`)
  const records = runs[0]?.terms.declaredRecords
  if (records === undefined) return null
  if (expectedLotSize > records) throw new Error(`stays out: ${records} declared records are less than one lot`)
  if (target.delta > 1 / records) throw new Error(`stays out: δ is more than one over ${records} records`)
  const sampleRate = expectedLotSize / records
  const before = runs.flatMap(({ facts }) => facts.filter(({ voided }) => !voided).map(({ event }) => event))
  const plan = await ask('plan', { budget: target, sampleRate, localSteps, rounds })
  const { noiseMultiplier } = plan
  const run = { sampleRate, noiseMultiplier, steps: rounds * localSteps }
  const { delta } = target
  const events = summed(before)
  return {
    records,
    before: events.length === 0 ? 0 : (await ask('spent', { events, delta })).epsilonPld,
    noiseMultiplier,
    one: plan.epsilonOfOneRound,
    all: plan.epsilonPld,
    together: (await ask('spent', { events: [...events, run], delta })).epsilonPld,
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof FedsvdError) return `expected ${error.detail.expected}, got ${error.detail.got}`
  return error instanceof Error ? error.message : String(error)
}
