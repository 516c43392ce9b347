import { Command } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { clientsText, clientText } from '../client/client-text.ts'
import { requireConfirmed } from '../confirmed.ts'
import { capClient, fetchClient, fetchClients, revokeClient } from '../coordinator-requests.ts'
import type { OperatorAccess } from '../operator-client.ts'
import { example, positiveNumber, probability } from '../options.ts'
import { outputFor } from '../output.ts'
import { findNamed } from '../run/find.ts'

type Options<T = object> = AccessOptions & { readonly json?: boolean } & T

const A_CLIENT = 'name of the client, its identifier, or the first characters of that'

/** `fedsvd client`: the sites that are enrolled at a coordinator. */
export function clientCommand(): Command {
  return new Command('client')
    .addCommand(
      withAccess(new Command('list').description('List the clients, revoked ones included.'))
        .option('--json', 'print each client as a line of JSON')
        .addHelpText('after', example('fedsvd client list'))
        .action(list),
    )
    .addCommand(
      withAccess(new Command('show').description('Show a client: its caps, and what it did in each run.'))
        .argument('<client>', A_CLIENT)
        .option('--json', 'print the client as JSON')
        .addHelpText('after', example('fedsvd client show north'))
        .action(show),
    )
    .addCommand(
      withAccess(
        new Command('cap').description(
          'Set the most that all runs of the coordinator may spend of a client’s data. It can only be lowered once data have been used; the stricter of this and the site’s own limit applies.',
        ),
      )
        .argument('<client>', A_CLIENT)
        .requiredOption('--epsilon <number>', 'the most', positiveNumber)
        .requiredOption('--delta <number>', 'at most one over its records', probability)
        .option('--yes', 'do not ask whether it is meant')
        .option('--json', 'print all caps of the client as JSON')
        .addHelpText('after', example('fedsvd client cap north --epsilon 3 --delta 1e-6 --yes'))
        .action(cap),
    )
    .addCommand(
      withAccess(new Command('revoke').description('Turn a client away for good. What it spent stays spent.'))
        .argument('<client>', A_CLIENT)
        .option('--yes', 'do not ask whether it is meant')
        .option('--json', 'print the client as JSON')
        .addHelpText('after', example('fedsvd client revoke north --yes'))
        .action(revoke),
    )
}

const clientId = (access: OperatorAccess, given: string): Promise<string> =>
  findNamed(given, {
    what: 'client',
    code: 'CLIENT_NOT_FOUND',
    list: async () => (await fetchClients(access)).map((client) => ({ id: client.clientId, name: client.name })),
  })

async function list(options: Options): Promise<void> {
  const output = outputFor(options)
  const clients = await fetchClients(await accessOf(options))
  for (const client of clients) output.record(client)
  output.line(clientsText(clients))
}

async function show(given: string, options: Options): Promise<void> {
  const output = outputFor(options)
  const access = await accessOf(options)
  const client = await fetchClient(access, await clientId(access, given))
  output.record(client)
  output.line(clientText(client))
}

async function cap(given: string, options: Options<{ epsilon: number; delta: number; yes?: boolean }>): Promise<void> {
  const output = outputFor(options)
  const access = await accessOf(options)
  const id = await clientId(access, given)
  const { epsilon, delta } = options
  await requireConfirmed(`Cap ${given} at epsilon ${epsilon}, delta ${delta}? It can only be lowered later.`, options)
  const caps = await capClient(access, id, { epsilon, delta })
  output.record({ clientId: id, caps })
  output.line(`${given}: all runs here may spend at most epsilon ${epsilon} at delta ${delta}`)
}

async function revoke(given: string, options: Options<{ yes?: boolean }>): Promise<void> {
  const output = outputFor(options)
  const access = await accessOf(options)
  const id = await clientId(access, given)
  await requireConfirmed(`Permanently revoke ${given}? This cannot be undone.`, options)
  const client = await revokeClient(access, id)
  output.record(client)
  output.line(`${client.name} is revoked since ${client.revokedAt}`)
}
