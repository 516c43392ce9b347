import { Anchor, Button, Code, Group, NativeSelect, NumberInput, Stack, Text, TextInput } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'wouter'
import { request } from '../api/http.ts'
import { useClients } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { StateWord } from '../components/badge.tsx'
import { Copy } from '../components/copy.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Pages } from '../components/pages.tsx'
import { Panel } from '../components/panel.tsx'
import { Scroll } from '../components/scroll.tsx'
import { Empty, Failure, Loaded } from '../components/state.tsx'
import { dateTime } from '../format.ts'
import { texts } from '../texts/index.ts'

const ROWS = 50

/** Who is enrolled, and tokens for those who are not yet. */
export default function Clients() {
  const clients = useClients()
  const role = useRole()
  const [search, setSearch] = useState('')
  return (
    <Stack>
      <PageTitle>Clients</PageTitle>
      {role !== 'auditor' && <Enrolment />}
      <Panel title="Enrolled">
        <Loaded answer={clients} what="the clients">
          {(list) => {
            const found = list
              .filter(({ name, clientId }) => `${name} ${clientId}`.toLowerCase().includes(search.toLowerCase()))
              .sort((left, right) => left.name.localeCompare(right.name, undefined, { numeric: true }))
            return (
              <>
                {list.length > 0 && (
                  <TextInput
                    label="Search"
                    placeholder="Name or identifier"
                    maw={320}
                    mb="sm"
                    value={search}
                    onChange={(event) => setSearch(event.currentTarget.value)}
                  />
                )}
                {found.length === 0 ? (
                  <Empty>
                    {list.length === 0
                      ? 'No client yet. Make an enrolment token and give it to a site.'
                      : 'No client fits.'}
                  </Empty>
                ) : (
                  <Pages items={found} size={ROWS} label="clients">
                    {(items) => (
                      <Scroll label="Clients" minWidth={720}>
                        <thead>
                          <tr>
                            <th>Name</th>
                            <th>State</th>
                            <th>Last seen</th>
                            <th>Version</th>
                            <th>Enrolled</th>
                            <th>Identifier</th>
                          </tr>
                        </thead>
                        <tbody>
                          {items.map(({ clientId, name, connected, revokedAt, enrolledAt, lastSeenAt, version }) => (
                            <tr key={clientId}>
                              <td>
                                <Anchor component={Link} href={`/clients/${clientId}`}>
                                  {name}
                                </Anchor>
                              </td>
                              <td>
                                <Presence connected={connected} isRevoked={revokedAt !== undefined} />
                              </td>
                              <td className="nowrap">
                                {connected ? 'now' : lastSeenAt === undefined ? 'never' : dateTime(lastSeenAt)}
                              </td>
                              <td>{version ?? '–'}</td>
                              <td className="nowrap">{dateTime(enrolledAt)}</td>
                              <td>
                                <Code>{clientId.slice(0, 8)}</Code>
                              </td>
                            </tr>
                          ))}
                        </tbody>
                      </Scroll>
                    )}
                  </Pages>
                )}
              </>
            )
          }}
        </Loaded>
      </Panel>
    </Stack>
  )
}

export function Presence({ connected, isRevoked }: { readonly connected: boolean; readonly isRevoked: boolean }) {
  const [text, kind] = isRevoked
    ? (['revoked', 'fault'] as const)
    : connected
      ? (['connected', 'on'] as const)
      : ([texts.sites.offline, 'off'] as const)
  return <StateWord kind={kind}>{text}</StateWord>
}

const HOUR = 3600
const EXPIRIES = [
  { value: String(HOUR), label: 'an hour' },
  { value: String(24 * HOUR), label: 'a day' },
  { value: String(7 * 24 * HOUR), label: 'a week' },
]

/** A token is shown once, to be copied: the coordinator keeps its hash only. */
function Enrolment() {
  const [count, setCount] = useState<number | string>(1)
  const [name, setName] = useState('')
  const [expiresIn, setExpiresIn] = useState(String(24 * HOUR))
  const [tokens, setTokens] = useState<readonly string[]>([])
  const [error, setError] = useState<unknown>()
  const [isBusy, setBusy] = useState(false)
  const create = async (): Promise<void> => {
    setBusy(true)
    setError(undefined)
    try {
      const isNamed = name.trim() !== ''
      const body = {
        count: isNamed ? 1 : Number(count),
        expiresInSeconds: Number(expiresIn),
        ...(isNamed && { name: name.trim() }),
      }
      setTokens((await request<{ tokens: readonly string[] }>('POST /v1/enrolment-tokens', body)).tokens)
    } catch (fault) {
      setError(fault)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Panel title="Enrolment tokens">
      <Text size="sm" className="muted" mb="sm">
        Each lets one client enrol, once, before it expires; with a name, under that name alone.
      </Text>
      <Group align="end">
        <NumberInput
          label="How many"
          min={1}
          max={1000}
          w={110}
          value={name.trim() === '' ? count : 1}
          onChange={setCount}
          disabled={name.trim() !== ''}
          allowDecimal={false}
        />
        <TextInput
          label="For the client"
          placeholder="Any name"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <NativeSelect
          label="Valid for"
          data={EXPIRIES}
          value={expiresIn}
          onChange={(event) => setExpiresIn(event.currentTarget.value)}
        />
        <Button onClick={() => void create()} loading={isBusy} disabled={!(Number(count) >= 1)}>
          Create
        </Button>
      </Group>
      {error !== undefined && <Failure error={error} />}
      {tokens.length > 0 && (
        <Stack mt="md" gap="xs" role="status">
          <Text size="sm">{texts.sites.copyNow(tokens.length)}</Text>
          <Code block style={{ maxHeight: 200, overflow: 'auto' }} tabIndex={0}>
            {tokens.join('\n')}
          </Code>
          <Group>
            <Copy text={tokens.join('\n')} />
            <Button size="xs" variant="default" onClick={() => setTokens([])}>
              Done
            </Button>
          </Group>
        </Stack>
      )}
    </Panel>
  )
}
