import { readTls } from '@fedsvd/client/transport'
import { type Command, Option } from 'commander'
import type { OperatorAccess } from './operator-client.ts'
import { requireSecret, type SecretOption, withSecret } from './secret-option.ts'

export interface AccessOptions {
  readonly coordinator: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

const OPERATOR_TOKEN: SecretOption = {
  flag: '--operator-token',
  env: 'FEDSVD_OPERATOR_TOKEN',
  what: 'operator token, or the token of a session',
}

const WHERE_THE_TOKEN_IS = `
The operator token is in the file operator.token of the coordinator's state folder (.fedsvd/coordinator unless it was
started with another --state-dir), which its owner alone can read, or is what FEDSVD_OPERATOR_TOKEN was set to for
"fedsvd serve". An operator who signs in by name passes the token of a session in its place, which "fedsvd operator
sign-in" prints.`

/** Adds the options by which a command reaches a coordinator as an operator. */
export function withAccess(command: Command): Command {
  return withTrust(
    withSecret(command.requiredOption('--coordinator <url>', 'address of the coordinator'), OPERATOR_TOKEN),
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
 * Asks for the token where none was given. @throws FedsvdError CONFIG_INVALID without one, or when a file cannot be
 * read
 */
export async function accessOf(options: AccessOptions): Promise<OperatorAccess> {
  const token = await requireSecret({ ...options }, OPERATOR_TOKEN)
  return { url: options.coordinator, token, trust: readTls(options) }
}
