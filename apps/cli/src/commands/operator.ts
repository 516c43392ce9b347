import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { readTls } from '@fedsvd/client/transport'
import { FedsvdError } from '@fedsvd/core/errors'
import { type Role, roleSchema } from '@fedsvd/core/protocol'
import { Command, Option } from 'commander'
import { type AccessOptions, accessOf, withAccess, withTrust } from '../access.ts'
import { createOperator, disableOperator, fetchOperators, signIn } from '../operator-client.ts'
import { example, identifier } from '../options.ts'
import { outputFor, table } from '../output.ts'
import { keepSecret } from '../secret-sink.ts'

type Options<T = object> = AccessOptions & { readonly json?: boolean } & T

const LONGEST_SECRET = 1000

/** Where a secret goes that a command makes. */
interface SecretSink {
  readonly secretFile?: string
  readonly showSecret?: boolean
}

const withSink = (command: Command): Command =>
  command
    .option('--secret-file <file>', 'write the secret there, readable for its owner alone, and print it nowhere')
    .option('--show-secret', 'put the secret into the JSON: what is read by programs tends to be logged')

/** `fedsvd operator`: who may administer a coordinator. */
export function operatorCommand(): Command {
  const command = new Command('operator')
  const at = '--coordinator http://127.0.0.1:7373'
  command.addCommand(
    withSink(withAccess(new Command('create').description('Make an operator; its secret is made up and shown once.')))
      .requiredOption('--name <name>', 'what it signs in with')
      .addOption(
        new Option('--role <role>', 'everything; own runs and enrolment; or reading only')
          .choices(roleSchema.options)
          .makeOptionMandatory(),
      )
      .option('--json', 'print the operator as JSON')
      .addHelpText('after', example(`fedsvd operator create ${at} --name ada --role admin`))
      .action(create),
  )
  command.addCommand(
    withAccess(new Command('list').description('List all operators, disabled ones included.'))
      .option('--json', 'print each operator as a line of JSON')
      .addHelpText('after', example(`fedsvd operator list ${at}`))
      .action(list),
  )
  command.addCommand(
    withAccess(new Command('disable').description('Disable an operator and end its sessions at once.'))
      .argument('<operator>', 'identifier of the operator', identifier)
      .option('--json', 'print the operator as JSON')
      .addHelpText('after', example(`fedsvd operator disable 3f2504e0-4f89-41d3-9a0c-0305e82c3301 ${at}`))
      .action(disable),
  )
  command.addCommand(
    withSink(
      withTrust(
        new Command('sign-in')
          .description(
            'Sign in and print a session token, to be used as FEDSVD_OPERATOR_TOKEN. Reads the secret from stdin.',
          )
          .requiredOption('--coordinator <url>', 'address of the coordinator'),
      ),
    )
      .requiredOption('--name <name>', 'name of the operator')
      .option('--json', 'print the session as JSON')
      .addHelpText('after', example(`fedsvd operator sign-in ${at} --name ada < secret.txt`))
      .action(enter),
  )
  return command
}

async function create(options: Options<{ name: string; role: Role } & SecretSink>): Promise<void> {
  const { name, role } = options
  const output = outputFor(options)
  requireSink(options)
  const secret = randomBytes(24).toString('base64url')
  const access = await accessOf(options)
  if (options.secretFile !== undefined) await keepSecret(options.secretFile, secret) // before it is worth anything
  const operator = await createOperator(access, { name, role, secret })
  output.record({ ...operator, ...(options.showSecret && { secret }) })
  output.line(`${operator.role} ${operator.name}, identifier ${operator.id}`)
  if (options.secretFile === undefined) output.line(`secret ${secret}: note it now, it is not shown again`)
  else output.line(`secret in ${options.secretFile}`)
}

/** What is made under --json would be lost without a place for it. @throws FedsvdError CONFIG_INVALID */
function requireSink({ json, secretFile, showSecret }: SecretSink & { readonly json?: boolean }): void {
  if (!json || secretFile !== undefined || showSecret) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: '--secret-file or --show-secret beside --json',
    got: '--json alone',
    remedy: 'JSON holds no secret unless that is asked for; nothing was done.',
  })
}

async function list(options: Options): Promise<void> {
  const output = outputFor(options)
  const operators = await fetchOperators(await accessOf(options))
  for (const operator of operators) output.record(operator)
  const rows = operators.map(({ id, name, role, disabledAt }) => [id, name, role, disabledAt ?? ''])
  output.line(table([['identifier', 'name', 'role', 'disabled at'], ...rows]))
}

async function disable(operatorId: string, options: Options): Promise<void> {
  const output = outputFor(options)
  const operator = await disableOperator(await accessOf(options), operatorId)
  output.record(operator)
  output.line(`${operator.name} is disabled since ${operator.disabledAt}`)
}

async function enter(options: Options<{ name: string; coordinator: string } & SecretSink>): Promise<void> {
  const output = outputFor(options)
  requireSink(options)
  const secret = (await text(process.stdin)).trim()
  if (secret === '' || secret.length > LONGEST_SECRET) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'the secret of the operator on standard input',
      got: secret === '' ? 'empty input' : `${secret.length} characters`,
      remedy: 'Pipe it in: a secret on the command line shows in the list of processes',
    })
  }
  const session = await signIn({ url: options.coordinator, trust: readTls(options) }, options.name, secret)
  const { token, ...shown } = session
  if (options.secretFile !== undefined) await keepSecret(options.secretFile, token)
  output.record(options.showSecret ? session : shown)
  output.line(options.secretFile === undefined ? token : `session token in ${options.secretFile}`)
}
