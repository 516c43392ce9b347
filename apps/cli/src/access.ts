import { readTls } from '@fedsvd/client'
import { type Command, Option } from 'commander'
import type { OperatorAccess } from './operator-client.ts'

export interface AccessOptions {
  readonly coordinator: string
  readonly operatorToken: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Adds the options by which a command reaches a coordinator as an operator. */
export function withAccess(command: Command): Command {
  return withTrust(
    command
      .requiredOption('--coordinator <url>', 'address of the coordinator')
      .addOption(
        new Option('--operator-token <token>', 'operator token, or a session as a token')
          .env('FEDSVD_OPERATOR_TOKEN')
          .makeOptionMandatory(),
      ),
  )
}

/** Adds the options of a TLS connection. */
export function withTrust(command: Command): Command {
  return command
    .addOption(new Option('--ca <file>', 'PEM authority of the coordinator’s certificate').env('FEDSVD_CA'))
    .addOption(new Option('--cert <file>', 'PEM certificate to show, if asked for').env('FEDSVD_CERT'))
    .addOption(new Option('--key <file>', 'PEM private key of that certificate').env('FEDSVD_KEY'))
}

/** @throws FedsvdError CONFIG_INVALID when a file cannot be read */
export function accessOf(options: AccessOptions): OperatorAccess {
  return { url: options.coordinator, token: options.operatorToken, trust: readTls(options) }
}
