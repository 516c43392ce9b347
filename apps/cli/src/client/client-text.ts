import type { ClientDetail, ClientView } from '@fedsvd/core/protocol'
import { table } from '../output.ts'

/** A line for each client. */
export function clientsText(clients: readonly ClientView[]): string {
  if (clients.length === 0) return 'No client is enrolled yet: `fedsvd token create` makes a token for one.'
  const rows = clients.map((client) => [
    client.clientId,
    client.name,
    standingOf(client),
    client.lastSeenAt ?? 'never',
    client.version ?? '-',
  ])
  return table([['identifier', 'name', 'standing', 'last seen', 'release'], ...rows])
}

function standingOf({ revokedAt, connected }: ClientView): string {
  return revokedAt === undefined ? (connected ? 'connected' : 'not connected') : 'revoked'
}

/** One client, for people. */
export function clientText(client: ClientDetail): string {
  const facts: [string, string | undefined][] = [
    ['client', client.clientId],
    ['name', client.name],
    ['standing', standingOf(client)],
    ['enrolled', client.enrolledAt],
    ['revoked', client.revokedAt],
    ['last seen', client.lastSeenAt ?? 'never'],
    ['release', client.version],
    ['key', client.publicKey],
  ]
  const shown = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(12)}${value}`]))
  const caps = client.caps.map(({ epsilon, delta, actor, at }) => [at, epsilon, delta, actor])
  const runs = client.runs.map(({ runId, name, state, terms, delivered, withdrawal }) => [
    runId,
    name,
    state,
    terms.declaredRecords,
    terms.noiseMultiplier.toFixed(4),
    delivered.length,
    withdrawal ?? '',
  ])
  return [
    ...shown,
    ...(caps.length === 0
      ? []
      : ['', 'caps, the last one in force', table([['since', 'epsilon', 'delta', 'by'], ...caps])]),
    ...(runs.length === 0
      ? ['', 'It has taken part in no run that you may see.']
      : ['', table([['run', 'name', 'state', 'declared', 'noise multiplier', 'updates', 'left with'], ...runs])]),
  ].join('\n')
}
