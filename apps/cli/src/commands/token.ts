import { Command } from 'commander'
import { type AccessOptions, accessOf, withAccess } from '../access.ts'
import { createEnrolmentTokens } from '../operator-client.ts'
import { example, positiveInteger, positiveNumber } from '../options.ts'
import { outputFor } from '../output.ts'
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
  return new Command('token').addCommand(
    withAccess(new Command('create').description('Make enrolment tokens, one for each site. They are shown once.'))
      .option('--count <count>', 'so many', positiveInteger, 1)
      .option('--hours <hours>', 'how long they are good', positiveNumber, 24)
      .option('--name <name>', 'one that is good under this name of a client alone')
      .option('--out <file>', 'write them there, one a line, readable for its owner alone, and print them nowhere')
      .option('--json', 'print { "tokens", "expiresAt" }')
      .addHelpText('after', example('fedsvd token create --name north --out token.txt'))
      .action(create),
  )
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
