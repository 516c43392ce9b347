import { FedsvdError } from '@fedsvd/core/errors'
import type { EnrolmentTokenView } from '@fedsvd/core/protocol'
import { Command } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { fetchTokens, withdrawToken } from '../coordinator-requests.ts'
import { createEnrolmentTokens } from '../operator-client.ts'
import { example, positiveInteger, positiveNumber } from '../options.ts'
import { outputFor, table } from '../output.ts'
import { keepSecret } from '../secret-sink.ts'

type Options<T = object> = AccessOptions & { readonly json?: boolean } & T

const HOUR_SECONDS = 3600

interface CreateOptions {
  readonly count: number
  readonly hours: number
  readonly name?: string
  readonly out?: string
}

/** `fedsvd token`: single-use rights to enrol as a client. */
export function tokenCommand(): Command {
  return new Command('token')
    .addCommand(
      withAccess(new Command('create').description('Make enrolment tokens, one for each site. They are shown once.'))
        .option('--count <count>', 'so many', positiveInteger, 1)
        .option('--hours <hours>', 'how long they are good', positiveNumber, 24)
        .option('--name <name>', 'one that is good under this name of a client alone')
        .option('--out <file>', 'write them there, one a line, readable for its owner alone, and print them nowhere')
        .option('--json', 'print { "tokens", "expiresAt" }')
        .addHelpText('after', example('fedsvd token create --name north --out token.txt'))
        .action(create),
    )
    .addCommand(
      withAccess(new Command('list').description('List enrolment tokens, the newest first: open, used or ended.'))
        .option('--json', 'print each token as a line of JSON, without what it is worth')
        .addHelpText('after', example('fedsvd token list'))
        .action(list),
    )
    .addCommand(
      withAccess(new Command('withdraw').description('Withdraw an unused token.'))
        .argument('<token>', 'its identifier, as `token list` shows it, or the name of the client that it is for')
        .option('--json', 'print the token as JSON')
        .addHelpText('after', example('fedsvd token withdraw north'))
        .action(withdraw),
    )
}

async function list(options: Options): Promise<void> {
  const output = outputFor(options)
  const tokens = await fetchTokens(await accessOf(options))
  for (const token of tokens) output.record(token)
  const rows = tokens.map(({ tokenId, name, state, createdAt, expiresAt }) => [
    tokenId,
    name ?? 'any',
    state,
    createdAt,
    expiresAt,
  ])
  const heads = ['identifier', 'for', 'state', 'made', 'good until']
  output.line(tokens.length === 0 ? 'No tokens. `fedsvd token create` makes one.' : table([heads, ...rows]))
}

async function withdraw(given: string, options: Options): Promise<void> {
  const output = outputFor(options)
  const access = await accessOf(options)
  const open = (await fetchTokens(access)).filter(({ state }) => state === 'open')
  const named = open.filter(({ tokenId, name }) => tokenId === given || name === given)
  if (named.length !== 1) throw notOne(given, named.length)
  const [{ tokenId }] = named as [EnrolmentTokenView]
  const token = (await withdrawToken(access, tokenId)).find((one) => one.tokenId === tokenId)
  output.record(token)
  output.line(`the token ${tokenId} can no longer be used`)
}

function notOne(given: string, count: number): FedsvdError {
  return new FedsvdError('TOKEN_NOT_FOUND', {
    expected: 'the identifier of an open token, or the name that one token is for',
    got: count === 0 ? given : `${given}, which ${count} tokens are for`,
    remedy: '`fedsvd token list` shows them.',
  })
}

async function create(options: Options<CreateOptions>): Promise<void> {
  const output = outputFor(options)
  const { count, hours, name, out } = options
  const expiresInSeconds = Math.round(hours * HOUR_SECONDS)
  const access = await accessOf(options)
  const expiresAt = new Date(Date.now() + expiresInSeconds * 1000).toISOString()
  const tokens = await createEnrolmentTokens(access, count, { expiresInSeconds, ...(name !== undefined && { name }) })
  if (out !== undefined) await keepSecret(out, tokens.join('\n'), '--out')
  output.record({ ...(out === undefined ? { tokens } : { file: out }), expiresAt })
  for (const token of out === undefined ? tokens : []) output.line(token)
  const what = count === 1 ? 'a token' : `${count} tokens`
  if (out !== undefined)
    output.line(`${what} in ${out}, good until ${expiresAt}: hand one to each site, for --token-file`)
}
