import { nearestName } from '@fedsvd/core/protocol'
import { ENVIRONMENT, FROM_FILES } from '@fedsvd/engine/settings'
import type { Command } from 'commander'

const PREFIX = 'FEDSVD_'

/** Read by no option: by what is loaded, or before there are any. */
const OTHERS = [
  'FEDSVD_COORDINATOR',
  'FEDSVD_DEBUG',
  'FEDSVD_ENROLMENT_TOKEN',
  'FEDSVD_HOME',
  'FEDSVD_OPERATOR_SECRET',
  'FEDSVD_OPERATOR_SECRET_FILE',
  'FEDSVD_OPERATOR_TOKEN_FILE',
  'FEDSVD_PROFILE',
]

/**
 * Variables of the environment that look like a setting and are none, with what may have been meant: nothing else reads
 * names that begin with FEDSVD_, and one that is misspelt would be ignored silently. One that is near to
 * no setting is left alone, as a system may make it for a service of that name.
 */
export function misspeltVariables(
  environment: NodeJS.ProcessEnv,
  command: Command,
): readonly { readonly name: string; readonly nearest: string }[] {
  const known = [
    ...Object.values(ENVIRONMENT),
    ...FROM_FILES.map((setting) => `${ENVIRONMENT[setting]}_FILE`),
    ...command.options.flatMap(({ envVar }) => envVar ?? []),
    ...OTHERS,
  ].filter((name) => name.startsWith(PREFIX))
  const rest = known.map((name) => name.slice(PREFIX.length))
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name) && environment[name] !== '')
    .flatMap((name) => {
      const nearest = nearestName(name.slice(PREFIX.length), rest)
      return nearest === undefined ? [] : [{ name, nearest: `${PREFIX}${nearest}` }]
    })
}

/** Says so on standard error, before anything is started. */
export function warnOfMisspeltVariables(command: Command): void {
  for (const { name, nearest } of misspeltVariables(process.env, command)) {
    process.stderr.write(`${name} is no setting and counts for nothing: did you mean ${nearest}?\n`)
  }
}
