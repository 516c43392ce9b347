import { mergeEvents, unitOfRun } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { ClientDetail, RunRequest } from '@fedsvd/core/protocol'
import { Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQueries } from '@tanstack/react-query'
import { ask } from '../../accountant/accountant-client.ts'
import { request } from '../../api/http.ts'
import { useClients } from '../../api/queries.ts'
import { Epsilon } from '../../components/epsilon.tsx'
import { Panel } from '../../components/panel.tsx'
import { Scroll } from '../../components/scroll.tsx'
import { Empty, Loaded } from '../../components/state.tsx'
import { significant, small } from '../../format.ts'

/** What the run would cost each client that is known, judged by what it has declared and spent before. */
export function Projection({ request: wanted }: { readonly request: RunRequest | undefined }) {
  const clients = useClients()
  return (
    <Panel title="What it would cost each client">
      <Text size="sm" className="muted" mb="sm">
        Sites choose their noise themselves. Shown is the least that keeps the whole run within the budget asked, for
        what each declared last; epsilon is per {unitOfRun(wanted ?? {})}
        {wanted && `, δ ${small(wanted.target.delta)}`}, by PLD, which holds for a site's first run. A site that has
        taken part before charges by its filter and, with less left, adds more noise or stays out; what it spent before
        is an odometer.
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
                  <td className="number">{data.before === 0 ? '0' : <Epsilon value={data.before} />}</td>
                  <td className="number">{significant(data.noiseMultiplier)}</td>
                  <td className="number">
                    <Epsilon value={data.one} />
                  </td>
                  <td className="number">
                    <Epsilon value={data.all} />
                  </td>
                  <td className="number">
                    <Epsilon value={data.together} />
                  </td>
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
  const events = mergeEvents(before)
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
