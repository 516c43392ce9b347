import { coordinatorAddress, readTls } from '@fedsvd/client/transport'
import { FedsvdError } from '@fedsvd/core/errors'
import { type Command, Option } from 'commander'
import type { OperatorAccess } from './operator-client.ts'
import { chosenProfile, type Profile } from './profile/index.ts'
import { requireSecret, type SecretOption, secretOf, withSecret } from './secret-option.ts'

export interface AccessOptions {
  readonly profile?: string
  readonly coordinator?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export const OPERATOR_TOKEN: SecretOption = {
  flag: '--operator-token',
  env: 'FEDSVD_OPERATOR_TOKEN',
  what: 'operator token, or the token of a session',
}

const WHERE_THE_TOKEN_IS = `
An option counts before its variable, and both before the profile ("fedsvd profile --help"). The token of a profile goes
to the coordinator of that profile alone: another --coordinator needs a token of its own.

The operator token is in the file operator.token of the coordinator's state folder (.fedsvd/coordinator unless it was
started with another --state-dir), which its owner alone can read, or is what FEDSVD_OPERATOR_TOKEN was set to for
"fedsvd serve". An operator who signs in by name passes the token of a session in its place, which "fedsvd operator
sign-in" prints.`

/** Adds the options by which a command reaches a coordinator as an operator. */
export function withAccess(command: Command): Command {
  return withTrust(
    withSecret(
      command
        .addOption(new Option('--profile <name>', 'profile to take the rest from').env('FEDSVD_PROFILE'))
        .addOption(new Option('--coordinator <url>', 'address of the coordinator').env('FEDSVD_COORDINATOR')),
      OPERATOR_TOKEN,
    ),
  ).addHelpText('after', WHERE_THE_TOKEN_IS)
}

/** Adds the options of a TLS connection. */
export function withTrust(command: Command): Command {
  return command
    .addOption(new Option('--ca <file>', 'PEM authority of the coordinator’s certificate').env('FEDSVD_CA'))
    .addOption(new Option('--cert <file>', 'PEM certificate to show, if asked for').env('FEDSVD_CERT'))
    .addOption(new Option('--key <file>', 'PEM private key of that certificate').env('FEDSVD_KEY'))
}

/**
 * How the coordinator is reached: by the options, their variables, or the profile; asks for a token that is in none of
 * them.
 *
 * @throws FedsvdError CONFIG_INVALID without an address or a token, or when a file cannot be read
 */
export async function accessOf(options: AccessOptions): Promise<OperatorAccess> {
  const given = options.coordinator === undefined ? undefined : coordinatorAddress(options.coordinator)
  const profile = profileFor(options, given)
  const url = given ?? profile?.coordinator
  if (url === undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: 'the address of a coordinator',
      got: 'none, and no profile',
      remedy: 'Give --coordinator, or keep one with `fedsvd profile set`.',
    })
  }
  const secrets = { ...options }
  const token = secretOf(secrets, OPERATOR_TOKEN) ?? profile?.token ?? (await requireSecret(secrets, OPERATOR_TOKEN))
  const { ca, cert, key } = { ...profile, ...options }
  return { url, token, trust: readTls({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }) }
}

/** A profile counts as a whole: what it holds goes to no other coordinator than its own. */
function profileFor({ profile: name }: AccessOptions, given: string | undefined): Profile | undefined {
  const profile = chosenProfile(name)
  if (profile === undefined || given === undefined || coordinatorAddress(profile.coordinator) === given) return profile
  if (name === undefined) return undefined
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `${profile.coordinator}, the coordinator of the profile ${name}`,
    got: given,
    remedy: 'Leave out --coordinator or --profile: the token of a profile goes to no other coordinator.',
  })
}
