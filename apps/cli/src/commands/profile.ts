import { coordinatorAddress, readTls } from '@fedsvd/client/transport'
import { FedsvdError } from '@fedsvd/core/errors'
import { Command } from 'commander'
import { OPERATOR_TOKEN, withTrust } from '../access.ts'
import { signIn } from '../operator-client.ts'
import { example } from '../options.ts'
import { outputFor, table } from '../output.ts'
import {
  type Profile,
  profileName,
  profilesPath,
  readProfiles,
  unknownProfile,
  writeProfiles,
} from '../profile/index.ts'
import { requireSecret, type SecretOption, withSecret } from '../secret-option.ts'

type Options<T = object> = { readonly json?: boolean } & T

const OPERATOR_SECRET: SecretOption = {
  flag: '--operator-secret',
  env: 'FEDSVD_OPERATOR_SECRET',
  what: 'secret of the operator',
}

interface SetOptions {
  readonly coordinator: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly signIn?: string
}

const ABOUT = `
Profiles are in a file that you alone can read (FEDSVD_HOME/profiles.yaml, or fedsvd/profiles.yaml in the system's folder
for configuration); one that others can read is refused. What counts, first to last: an option, its variable, the profile
that --profile or FEDSVD_PROFILE names, the current profile.
`

/** `fedsvd profile`: coordinators and the credentials for them, kept for the other commands. */
export function profileCommand(): Command {
  return new Command('profile')
    .addHelpText('after', ABOUT)
    .addCommand(
      withSecret(
        withSecret(
          withTrust(
            new Command('set')
              .description(
                'Keep a coordinator and a token for it, and make it the current profile. Asks for the token.',
              )
              .argument('[name]', 'name of the profile', 'default')
              .requiredOption('--coordinator <url>', 'address of the coordinator'),
          ),
          OPERATOR_TOKEN,
        ).option('--sign-in <operator>', 'sign in under this name and keep the session; asks for the secret'),
        OPERATOR_SECRET,
      )
        .option('--json', 'print the profile as JSON, without the token')
        .addHelpText(
          'after',
          example(
            'fedsvd profile set --coordinator https://coordinator:7373 --operator-token-file operator.token',
            'fedsvd profile set clinic --coordinator https://coordinator:7373 --sign-in ada',
          ),
        )
        .action(set),
    )
    .addCommand(
      new Command('list')
        .description('List the profiles, without their tokens.')
        .option('--json', 'print each profile as a line of JSON')
        .addHelpText('after', example('fedsvd profile list'))
        .action(list),
    )
    .addCommand(
      new Command('use')
        .description('Make a profile the current one.')
        .argument('<name>', 'name of the profile')
        .option('--json', 'print { "current" }')
        .addHelpText('after', example('fedsvd profile use clinic'))
        .action(use),
    )
    .addCommand(
      new Command('remove')
        .description('Forget a profile and its token.')
        .argument('<name>', 'name of the profile')
        .option('--json', 'print { "removed" }')
        .addHelpText('after', example('fedsvd profile remove clinic'))
        .action(remove),
    )
}

async function set(name: string, options: Options<SetOptions>): Promise<void> {
  const output = outputFor(options)
  requireName(name)
  const before = readProfiles() // before a secret is asked for
  const { ca, cert, key, signIn: operator } = options
  const coordinator = coordinatorAddress(options.coordinator)
  const trust = readTls({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) })
  const token =
    operator === undefined
      ? await requireSecret({ ...options }, OPERATOR_TOKEN)
      : (await signIn({ url: coordinator, trust }, operator, await requireSecret({ ...options }, OPERATOR_SECRET)))
          .token
  const profile: Profile = { coordinator, token, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
  writeProfiles({ current: name, profiles: { ...before.profiles, [name]: profile } })
  output.record(shown(name, profile, true))
  output.line(`profile ${name}: ${coordinator}, in ${profilesPath()}`)
}

function list(options: Options): void {
  const output = outputFor(options)
  const { current, profiles } = readProfiles()
  const all = Object.entries(profiles)
  for (const [name, profile] of all) output.record(shown(name, profile, name === current))
  const rows = all.map(([name, { coordinator, token }]) => [
    name,
    coordinator,
    token === undefined ? 'none' : 'kept',
    name === current ? 'current' : '',
  ])
  output.line(
    all.length === 0
      ? 'No profile yet: `fedsvd profile set` makes one.'
      : table([['name', 'coordinator', 'token', ''], ...rows]),
  )
}

function use(name: string, options: Options): void {
  const before = readProfiles()
  requireKnown(name, before.profiles)
  writeProfiles({ ...before, current: name })
  const output = outputFor(options)
  output.record({ current: name })
  output.line(`${name} is the current profile`)
}

function remove(name: string, options: Options): void {
  const { current, profiles } = readProfiles()
  requireKnown(name, profiles)
  const rest = Object.fromEntries(Object.entries(profiles).filter(([other]) => other !== name))
  writeProfiles({ ...(current !== undefined && current !== name && { current }), profiles: rest })
  const output = outputFor(options)
  output.record({ removed: name })
  output.line(`profile ${name} is forgotten`)
}

/** What is shown of a profile: never its token. */
function shown(name: string, { token, ...profile }: Profile, isCurrent: boolean) {
  return { name, ...profile, hasToken: token !== undefined, isCurrent }
}

function requireKnown(name: string, profiles: Readonly<Record<string, Profile>>): void {
  if (!Object.hasOwn(profiles, name)) unknownProfile(name, Object.keys(profiles))
}

function requireName(name: string): void {
  if (profileName.safeParse(name).success) return
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'a name of letters, digits, dots and dashes, at most 80 of them',
    got: name.slice(0, 100),
    remedy: 'Choose another name for the profile.',
  })
}
