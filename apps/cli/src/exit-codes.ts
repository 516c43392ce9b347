import { ERROR_CATALOGUE, type ErrorCode } from '@fedsvd/core/errors'

/** The exit code of each kind of ending. Scripts rely on them: numbers are added, never changed. */
export const EXIT = {
  done: 0,
  fault: 1,
  usage: 2,
  declined: 3,
  refused: 4,
  stopped: 5,
  failed: 6,
  invalid: 7,
  unavailable: 8,
  denied: 9,
  absent: 10,
  conflict: 11,
  privacy: 12,
  interrupted: 130,
} as const
export type ExitKind = keyof typeof EXIT

/** What each means, for the reference and the help. */
export const EXIT_MEANINGS: Readonly<Record<ExitKind, string>> = {
  done: 'done; of `join --once` and `run watch`: the run was completed',
  fault:
    'a fault that is none of the others, or a check that found something: an audit, a chain, a signature, a data set',
  usage: 'the command line cannot be read: an unknown command or option, or one without its value',
  declined: 'of `join`: this site declined the run',
  refused: 'of `join`: the coordinator turned this site away',
  stopped: 'of `join` and `run watch`: an operator stopped the run',
  failed: 'of `join` and `run watch`: the run failed',
  invalid: 'a setting, a file, a message or data are invalid; correct them before trying again',
  unavailable: 'a coordinator, a database, a disk or a hub does not answer, or not in time; trying again may help',
  denied: 'the token, the key or the role does not allow it',
  absent: 'what was named is not there',
  conflict: 'the state of something does not allow it now: a run that has ended, a folder or a name in use',
  privacy: 'the privacy budget, delta or a policy does not allow it',
  interrupted: 'a second Ctrl-C ended it at once',
}

/** Where the kind of a code of the catalogue does not follow from its HTTP status. */
const OF_CODE: Readonly<Partial<Record<ErrorCode, ExitKind>>> = {
  BUDGET_EXHAUSTED: 'privacy',
  BUDGET_RAISED: 'privacy',
  BUDGET_TOO_SMALL: 'privacy',
  DELTA_TOO_LARGE: 'privacy',
  POLICY_REFUSED: 'privacy',
  TERMS_CHANGED: 'privacy',
  DATA_OVERLAPS: 'privacy',
  SIGNATURE_INVALID: 'fault',
  LEDGER_MISMATCH: 'fault',
  AUDIT_EXCEEDED: 'fault',
  BACKUP_INVALID: 'fault',
  PORT_IN_USE: 'conflict',
  PROTOCOL_VERSION: 'conflict',
  PACKAGE_MISSING: 'unavailable',
  RUNTIME_UNAVAILABLE: 'unavailable',
}

const OF_STATUS: Readonly<Record<number, ExitKind>> = {
  400: 'invalid',
  401: 'denied',
  403: 'denied',
  404: 'absent',
  409: 'conflict',
  413: 'invalid',
  426: 'conflict',
  429: 'unavailable',
  503: 'unavailable',
}

/** With what kind of ending a command leaves that fails with a code of the catalogue. */
export function exitKindOf(code: ErrorCode): ExitKind {
  return OF_CODE[code] ?? OF_STATUS[ERROR_CATALOGUE[code].status] ?? 'fault'
}

/** With which exit code a command leaves that fails with a code of the catalogue. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT[exitKindOf(code)]
}
