import type { ClientCap, ClientDetail } from '@fedsvd/core/protocol'
import { Box, Button, Group, NumberInput, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useAnswer } from '../../accountant/accountant-client.ts'
import { request } from '../../api/http.ts'
import { CLIENTS } from '../../api/queries.ts'
import { useRole } from '../../api/session.tsx'
import { Question } from '../../components/confirm.tsx'
import { BudgetBar, Epsilon } from '../../components/epsilon.tsx'
import { Figure } from '../../components/figure.tsx'
import { Panel } from '../../components/panel.tsx'
import { Scroll } from '../../components/scroll.tsx'
import { dateTime, small } from '../../format.ts'
import { texts } from '../../texts/index.ts'

const COMMON_DELTA = 1e-5

/** What all runs may spend of a client's data, and what they have spent. */
export function Cap({ client }: { readonly client: ClientDetail }) {
  const { caps, runs, name, spent } = client
  const cap = caps.at(-1)
  const role = useRole()
  const delta = cap?.delta ?? runs[0]?.terms.budget.delta ?? COMMON_DELTA
  const { data } = useAnswer('spent', { events: spent, delta })
  return (
    <Panel title="Budget in all runs">
      <div className="figures">
        <Figure label="Epsilon spent so far" note="an odometer, over all runs of this coordinator">
          {data === undefined ? 'computing' : <Epsilon value={data.epsilonPld} delta={delta} />}
        </Figure>
        <Figure label="Cap" note={cap === undefined ? 'each run has its own budget' : undefined}>
          {cap === undefined ? 'none' : <Epsilon value={cap.epsilon} delta={cap.delta} />}
        </Figure>
      </div>
      {cap !== undefined && data !== undefined && (
        <Box my="sm">
          <BudgetBar name={name} share={data.epsilonPld / cap.epsilon} />
        </Box>
      )}
      {role === 'admin' && (
        <CapForm clientId={client.clientId} name={name} cap={cap} isUsed={spent.length > 0} delta={delta} />
      )}
      {caps.length > 1 && <History caps={caps} />}
    </Panel>
  )
}

function CapForm(props: {
  readonly clientId: string
  readonly name: string
  readonly cap: ClientCap | undefined
  readonly isUsed: boolean
  readonly delta: number
}) {
  const { clientId, name, cap, isUsed, delta: usual } = props
  const cache = useQueryClient()
  const [epsilon, setEpsilon] = useState<number | string>('')
  const [delta, setDelta] = useState<number | string>(usual)
  const [isAsked, setAsked] = useState(false)
  const fault = faultOf(Number(epsilon), Number(delta), isUsed ? cap : undefined)
  const set = async (): Promise<void> => {
    await request(`PATCH /v1/clients/${clientId}/budget`, { epsilon: Number(epsilon), delta: Number(delta) })
    await cache.invalidateQueries({ queryKey: CLIENTS })
    setEpsilon('')
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (epsilon !== '' && fault === undefined) setAsked(true)
  }
  return (
    <form onSubmit={submit} noValidate>
      <Text size="sm" className="muted" mt="sm">
        A cap bounds what all runs here together spend of this client's data; it is not asked for a round that would
        exceed it. A filter decides that, which may charge more than the figure above.{' '}
        {isUsed ? texts.sites.capIsUsed : texts.sites.capIsUnused} {texts.sites.stricterLimit}
      </Text>
      <Group align="end" mt="xs">
        <NumberInput label="Epsilon per record" w={150} min={0} step={0.5} value={epsilon} onChange={setEpsilon} />
        <NumberInput label="δ" w={130} min={0} step={1e-6} decimalScale={12} value={delta} onChange={setDelta} />
        <Button type="submit" disabled={epsilon === '' || fault !== undefined}>
          {cap === undefined ? texts.sites.setCap : texts.sites.lowerCap}
        </Button>
      </Group>
      {epsilon !== '' && fault !== undefined && (
        <Text size="sm" className="fault" role="alert" mt={4}>
          {fault}
        </Text>
      )}
      {isAsked && (
        <Question
          title={texts.sites.capTitle(name, Number(epsilon), small(Number(delta)))}
          yes={cap === undefined ? texts.sites.setCap : texts.sites.lowerCap}
          onYes={set}
          onClose={() => setAsked(false)}
        >
          {isUsed ? texts.sites.capHelp : texts.sites.capHelpUnused}
        </Question>
      )}
    </form>
  )
}

function faultOf(epsilon: number, delta: number, inForce: ClientCap | undefined): string | undefined {
  if (!(epsilon > 0 && epsilon <= 1000)) return 'Epsilon is above 0, and at most 1000.'
  if (!(delta > 0 && delta < 1)) return 'δ is between 0 and 1.'
  if (inForce !== undefined && (epsilon > inForce.epsilon || delta > inForce.delta)) {
    return `At most epsilon ${inForce.epsilon} at δ ${small(inForce.delta)}, which is in force: data have been used.`
  }
  return undefined
}

function History({ caps }: { readonly caps: readonly ClientCap[] }) {
  return (
    <Box mt="md">
      <Scroll label="Caps so far" minWidth={360}>
        <thead>
          <tr>
            <th>Set</th>
            <th className="number">Epsilon per record</th>
            <th className="number">δ</th>
            <th>By</th>
          </tr>
        </thead>
        <tbody>
          {caps.toReversed().map(({ at, epsilon, delta, actor }) => (
            <tr key={at}>
              <td className="nowrap">{dateTime(at)}</td>
              <td className="number">{epsilon}</td>
              <td className="number">{small(delta)}</td>
              <td title={actor}>{actor.slice(0, 17)}</td>
            </tr>
          ))}
        </tbody>
      </Scroll>
    </Box>
  )
}
