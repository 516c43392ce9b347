import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { readTls } from '@fedsvd/client'
import { FedsvdError } from '@fedsvd/core/errors'
import { type Role, roleSchema } from '@fedsvd/core/protocol'
import { Command, Option } from 'commander'
import { type AccessOptions, accessOf, withAccess, withTrust } from '../access.ts'
import { createOperator, disableOperator, fetchOperators, signIn } from '../operator-client.ts'
import { example } from '../options.ts'
import { outputFor, table } from '../output.ts'

type Options<T = object> = AccessOptions & { readonly json?: boolean } & T

const LONGEST_SECRET = 1000

/** `fedsvd operator`: who may administer a coordinator. */
export function operatorCommand(): Command {
  const command = new Command('operator').description('Make, list and disable the operators of a coordinator.')
  const at = '--coordinator http://127.0.0.1:7373'
  command.addCommand(
    withAccess(new Command('create').description('Make an operator; its secret is made up and shown once.'))
      .requiredOption('--name <name>', 'what it signs in with')
      .addOption(
        new Option('--role <role>', 'everything; own runs and enrolment; or reading only')
          .choices(roleSchema.options)
          .makeOptionMandatory(),
      )
      .option('--json', 'print the operator and its secret as JSON')
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
      .argument('<operator>', 'identifier of the operator')
      .option('--json', 'print the operator as JSON')
      .addHelpText('after', example(`fedsvd operator disable 3f2504e0-4f89-41d3-9a0c-0305e82c3301 ${at}`))
      .action(disable),
  )
  command.addCommand(
    withTrust(
      new Command('sign-in')
        .description('Sign in and print a session token, to be used as --operator-token. Reads the secret from stdin.')
        .requiredOption('--coordinator <url>', 'address of the coordinator'),
    )
      .requiredOption('--name <name>', 'name of the operator')
      .option('--json', 'print the session as JSON')
      .addHelpText('after', example(`fedsvd operator sign-in ${at} --name ada < secret.txt`))
      .action(enter),
  )
  return command
}

async function create({ name, role, json, ...access }: Options<{ name: string; role: Role }>): Promise<void> {
  const output = outputFor({ json })
  const secret = randomBytes(24).toString('base64url')
  const operator = await createOperator(accessOf(access), { name, role, secret })
  output.record({ ...operator, secret })
  output.line(`${operator.role} ${operator.name}, identifier ${operator.id}`)
  output.line(`secret ${secret}: note it now, it is shown to nobody again`)
}

async function list(options: Options): Promise<void> {
  const output = outputFor(options)
  const operators = await fetchOperators(accessOf(options))
  for (const operator of operators) output.record(operator)
  const rows = operators.map(({ id, name, role, disabledAt }) => [id, name, role, disabledAt ?? ''])
  output.line(table([['identifier', 'name', 'role', 'disabled at'], ...rows]))
}

async function disable(operatorId: string, options: Options): Promise<void> {
  const output = outputFor(options)
  const operator = await disableOperator(accessOf(options), operatorId)
  output.record(operator)
  output.line(`${operator.name} is disabled since ${operator.disabledAt}`)
}

async function enter(options: Omit<Options<{ name: string }>, 'operatorToken'>): Promise<void> {
  const output = outputFor(options)
  const secret = (await text(process.stdin)).trim()
  if (secret === '' || secret.length > LONGEST_SECRET) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'the secret of the operator on standard input',
      got: secret === '' ? 'nothing' : 'far too much',
      remedy: 'Pipe it in: a secret on the command line shows in the list of processes',
    })
  }
  const session = await signIn({ url: options.coordinator, trust: readTls(options) }, options.name, secret)
  output.record(session)
  output.line(session.token)
}
