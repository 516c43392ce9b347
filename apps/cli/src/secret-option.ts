import { readFileSync } from 'node:fs'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { type Command, Option } from 'commander'

/** A secret that a command needs: from a file, from the environment, or asked for at the terminal. */
export interface SecretOption {
  /** Long flag that took it on the command line before; it is hidden, and warned of. */
  readonly flag: string
  readonly env: string
  readonly what: string
}

type Given = Readonly<Record<string, unknown>>

/** Adds `FLAG-file` and, hidden, the deprecated flag itself. */
export function withSecret(command: Command, { flag, env, what }: SecretOption): Command {
  return command
    .addOption(new Option(`${flag}-file <file>`, `file with the ${what} (or the variable ${env})`).env(`${env}_FILE`))
    .addOption(new Option(`${flag} <secret>`, what).hideHelp())
}

/**
 * The secret, without the line break behind it; undefined where none was given. One on the command line still works,
 * with a warning on stderr: every user of the machine sees it in the list of processes.
 *
 * @throws FedsvdError CONFIG_INVALID when its file cannot be read, is empty or holds something else, which is not shown
 */
export function secretOf(options: Given, option: SecretOption): string | undefined {
  const secret = givenSecret(options, option)
  if (secret === undefined || /^[\x20-\x7e]*$/.test(secret)) return secret
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `the ${option.what}, as one line of ASCII characters`,
    got: secret.includes('\n') ? 'several lines' : 'other characters',
    remedy: `Correct what ${option.flag}-file or ${option.env} names.`,
  })
}

function givenSecret(options: Given, { flag, env, what }: SecretOption): string | undefined {
  const onCommandLine = options[nameOf(flag)]
  if (typeof onCommandLine === 'string') {
    process.stderr.write(`${flag} is deprecated: others see it in the list of processes; use ${flag}-file or ${env}\n`)
    return onCommandLine.trim()
  }
  const fromEnvironment = process.env[env]?.trim()
  if (fromEnvironment) return fromEnvironment
  const file = options[`${nameOf(flag)}File`]
  return typeof file === 'string' ? readSecret(file, flag, what) : undefined
}

/**
 * As {@link secretOf}, asking at the terminal where there is one. @throws FedsvdError CONFIG_INVALID where there is
 * none
 */
export async function requireSecret(options: Given, option: SecretOption): Promise<string> {
  const secret = secretOf(options, option) ?? (await askFor(option.what))
  if (secret) return secret
  throw new FedsvdError('CONFIG_INVALID', {
    expected: `the ${option.what}`,
    got: 'an empty or missing value',
    remedy: `Name its file with ${option.flag}-file, or set ${option.env}.`,
  })
}

function readSecret(file: string, flag: string, what: string): string {
  const invalid = (got: string): FedsvdError =>
    new FedsvdError('CONFIG_INVALID', {
      expected: `a readable file ${file} with the ${what}`,
      got,
      remedy: `Correct ${flag}-file.`,
    })
  let secret: string
  try {
    secret = readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw invalid(systemFault(error)?.detail.got ?? (error as Error).message)
  }
  if (secret === '') throw invalid('an empty file')
  return secret
}

/** Reads a line from the terminal without showing it; undefined without a terminal. */
async function askFor(what: string): Promise<string | undefined> {
  const { stdin, stderr } = process
  if (!stdin.isTTY) return undefined
  stderr.write(`${what}: `)
  stdin.setRawMode(true)
  let typed = ''
  try {
    for await (const chunk of stdin) {
      for (const key of String(chunk)) {
        if (key === '\r' || key === '\n' || key === '\u0004') return typed.trim()
        if (key === '\u0003') return undefined
        typed = key === '\u007f' || key === '\b' ? typed.slice(0, -1) : typed + key
      }
    }
    return typed.trim()
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

/** The name under which commander keeps an option. */
function nameOf(flag: string): string {
  return flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}
