import type { ClientDetail } from '@fedsvd/core/protocol'
import { Code, Group, Stack, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { request } from '../api/http.ts'
import { CLIENTS, useClient } from '../api/queries.ts'
import { useRole } from '../api/session.tsx'
import { Confirm } from '../components/confirm.tsx'
import { PageTitle } from '../components/page-title.tsx'
import { Panel } from '../components/panel.tsx'
import { Empty, Loaded } from '../components/state.tsx'
import { dateTime } from '../format.ts'
import { texts } from '../texts/index.ts'
import { Cap } from './client/cap.tsx'
import { InRun } from './client/in-run.tsx'
import { Presence } from './clients.tsx'

/** Who a client is, what its data have spent, and what it gave for it. */
export default function Client({ clientId }: { readonly clientId: string }) {
  const client = useClient(clientId)
  return (
    <Loaded answer={client} what="the client">
      {(detail) => <Details client={detail} />}
    </Loaded>
  )
}

function Details({ client }: { readonly client: ClientDetail }) {
  const { clientId, name, connected, revokedAt, runs } = client
  const role = useRole()
  const cache = useQueryClient()
  const revoke = async (): Promise<void> => {
    await request(`POST /v1/clients/${clientId}/revoke`, {})
    await cache.invalidateQueries({ queryKey: CLIENTS })
  }
  return (
    <Stack>
      <Group justify="space-between">
        <Group gap="xs">
          <PageTitle>{name}</PageTitle>
          <Presence connected={connected} isRevoked={revokedAt !== undefined} />
        </Group>
        {role === 'admin' && revokedAt === undefined && (
          <Confirm
            label={texts.sites.revoke}
            title={texts.sites.revokeTitle(name)}
            yes={texts.sites.revokeYes}
            onYes={revoke}
          >
            {texts.sites.revokeHelp}
          </Confirm>
        )}
      </Group>
      <div className="columns">
        <Identity client={client} />
        <Cap client={client} />
      </div>
      {runs.length === 0 && (
        <Panel title="Runs">
          <Empty>It has taken part in no run that you may see.</Empty>
        </Panel>
      )}
      {runs.map((run) => (
        <InRun key={run.runId} run={run} name={name} />
      ))}
    </Stack>
  )
}

function Identity({ client }: { readonly client: ClientDetail }) {
  const { clientId, publicKey, enrolledAt, revokedAt, connected, lastSeenAt, version } = client
  return (
    <Panel title="Identity">
      <dl className="facts">
        <dt>Identifier</dt>
        <dd>
          <Code>{clientId}</Code>
        </dd>
        <dt>Public key (Ed25519)</dt>
        <dd>
          <Code>{publicKey}</Code>
        </dd>
        <dt>Version</dt>
        <dd>{version === undefined ? 'never stated' : `fedsvd ${version}`}</dd>
        <dt>Last seen</dt>
        <dd>
          {lastSeenAt === undefined ? (
            'never'
          ) : connected ? (
            <>connected since {dateTime(lastSeenAt)}</>
          ) : (
            dateTime(lastSeenAt)
          )}
        </dd>
        <dt>Enrolled</dt>
        <dd>{dateTime(enrolledAt)}</dd>
        {revokedAt !== undefined && (
          <>
            <dt>Revoked</dt>
            <dd>
              <Text span className="fault">
                {dateTime(revokedAt)}
              </Text>
            </dd>
          </>
        )}
      </dl>
    </Panel>
  )
}
