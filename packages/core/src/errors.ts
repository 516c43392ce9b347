/**
 * The catalogue of every error that fedsvd raises on purpose.
 *
 * Each has a stable code, an HTTP status, and a message of the form "expected X, got Y, do Z", so that whoever reads it
 * knows what was wrong and what to do next. Codes are part of the protocol: they are added, never renamed.
 */
export const ERROR_CATALOGUE = {
  // what a person configured
  CONFIG_INVALID: { status: 400, title: 'A setting is missing or out of range' },
  CERTIFICATE_INVALID: { status: 400, title: 'A TLS certificate is not trusted' },
  PORT_IN_USE: { status: 500, title: 'The address to listen on is taken' },
  FOLDER_IN_USE: { status: 409, title: 'The folder belongs to something else' },
  COORDINATOR_UNREACHABLE: { status: 503, title: 'The coordinator does not answer' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'The database does not answer' },
  STORAGE_UNAVAILABLE: { status: 503, title: 'The store of tensors is full or does not answer' },
  DATABASE_LOCKED: { status: 409, title: 'Another coordinator uses this embedded database' },
  DATABASE_DAMAGED: { status: 500, title: 'The embedded database is not whole' },
  MIGRATION_FAILED: { status: 500, title: 'The database schema could not be brought up to date' },
  // data and models
  DATA_UNREADABLE: { status: 400, title: 'A row of the data set cannot be read' },
  DATA_EMPTY: { status: 400, title: 'The data set has no records' },
  DATA_CHANGED: { status: 409, title: 'The data set changed under a run' },
  DATA_OVERLAPS: { status: 409, title: 'Records of the data set belong to another budget' },
  STATEMENT_INVALID: { status: 400, title: 'A statement of the data owner is not valid' },
  LABEL_UNKNOWN: { status: 400, title: 'A record has a label outside the label set of the run' },
  CHECKPOINT_INVALID: { status: 400, title: 'A model checkpoint cannot be read' },
  HUB_UNAVAILABLE: { status: 503, title: 'A checkpoint could not be fetched from the hub' },
  ADAPTER_INVALID: { status: 400, title: 'Adapter factors do not fit the model' },
  GRAPH_INVALID: { status: 500, title: 'A model graph is malformed' },
  // who is speaking
  TOKEN_INVALID: { status: 401, title: 'A token is unknown, used or expired' },
  SIGNATURE_INVALID: { status: 401, title: 'A signature does not belong to the registered key' },
  FORBIDDEN: { status: 403, title: 'The caller may not do this' },
  CLIENT_CONNECTED: { status: 409, title: 'Another process is connected under this identity' },
  PROTOCOL_VERSION: { status: 426, title: 'The peer speaks another version of the protocol' },
  MESSAGE_INVALID: { status: 400, title: 'A message does not fit its schema' },
  ROUTE_NOT_FOUND: { status: 404, title: 'No route has this address' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  SIGN_IN_REFUSED: { status: 401, title: 'The name or the secret is not right' },
  CSRF_INVALID: { status: 403, title: 'A request by cookie does not carry the token of its session' },
  OPERATOR_NOT_FOUND: { status: 404, title: 'No operator has this identifier' },
  OPERATOR_EXISTS: { status: 409, title: 'An operator of this name exists already' },
  NAME_TAKEN: { status: 409, title: 'Another client in good standing has this name' },
  NAME_REUSED: { status: 409, title: 'A client has the name that another one had before' },
  TOKEN_NOT_FOUND: { status: 404, title: 'No open enrolment token has this identifier' },
  CLIENT_NOT_FOUND: { status: 404, title: 'No client has this identifier' },
  AUDIT_DAMAGED: { status: 500, title: 'The audit log fails its own verification' },
  // the update on the wire
  FRAME_MALFORMED: { status: 400, title: 'An update frame cannot be decoded' },
  FRAME_TOO_LARGE: { status: 413, title: 'An update frame is larger than the run allows' },
  FRAME_CHECKSUM: { status: 400, title: 'An update frame was damaged on its way' },
  SHAPE_MISMATCH: { status: 400, title: 'A tensor has another shape than the adapter schema' },
  NOT_FINITE: { status: 400, title: 'A tensor holds NaN or infinity' },
  NORM_EXCEEDED: { status: 400, title: 'An update is larger than its clipping and noise can explain' },
  UPDATE_STALE: { status: 409, title: 'An update is for a round that has closed' },
  UPDATE_UNEXPECTED: { status: 409, title: 'An update comes from a client that was not asked for it' },
  UPDATE_CONFLICT: { status: 409, title: 'A second, different update for one round and client' },
  BLOB_NOT_FOUND: { status: 404, title: 'No stored object has this hash' },
  OBJECT_MISSING: { status: 500, title: 'A stored object that a run needs is gone or damaged' },
  RUN_NOT_FOUND: { status: 404, title: 'No run has this identifier' },
  STATE_NOT_FOUND: { status: 404, title: 'The run has no such state' },
  RUN_STATE: { status: 409, title: 'The run is not in a state that allows this' },
  RUN_NOT_OPEN: { status: 503, title: 'The run takes no updates just now' },
  QUORUM_MISSED: { status: 503, title: 'A round had too few updates at its deadline' },
  SUM_REFUSED: { status: 409, title: 'A secure sum was asked for what it must not do' },
  SUM_ABORTED: { status: 503, title: 'A secure sum cannot be opened' },
  // privacy
  BUDGET_EXHAUSTED: { status: 403, title: 'The next step would exceed the privacy budget' },
  BUDGET_RAISED: { status: 409, title: 'A budget was to be raised after data had been used' },
  BUDGET_TOO_SMALL: { status: 400, title: 'The privacy budget does not buy a single step' },
  DELTA_TOO_LARGE: { status: 400, title: 'delta is larger than 1 / records' },
  LEDGER_DAMAGED: { status: 500, title: 'The privacy ledger fails its own verification' },
  LEDGER_LOCKED: { status: 409, title: 'Another process spends the budget of this data set' },
  LEDGER_MISMATCH: { status: 409, title: 'Two records of the same spending disagree' },
  TERMS_CHANGED: { status: 409, title: 'A run changed its privacy terms after they were agreed' },
  AUDIT_EXCEEDED: { status: 500, title: 'An audit measured more leakage than the claimed epsilon allows' },
  POLICY_REFUSED: { status: 403, title: 'The policy of a site does not allow what was asked of it' },
  SITE_DECLINED: { status: 409, title: 'The site does not take part, for a reason that stays with the site' },
  RESERVATION_MISSING: { status: 500, title: 'Noise was asked for without a durable reservation' },
  UNEXPECTED: { status: 500, title: 'A fault that the catalogue does not know' },
  NOISE_INVALID: { status: 500, title: 'The parameters of the noise are unusable' },
  PACKAGE_MISSING: { status: 500, title: 'A package that was asked for is not installed' },
  MODEL_BUSY: { status: 503, title: 'A model has more to answer than it can in time' },
  RUNTIME_UNAVAILABLE: { status: 500, title: 'A runtime or device that was asked for cannot be used here' },
  STEP_ORDER: { status: 500, title: 'The steps of a private round were made out of order' },
  ROUNDS_AHEAD: { status: 409, title: 'A client has trained rounds that this coordinator does not know' },
  WRITTEN_BY_NEWER: { status: 409, title: 'It was written by a newer release of fedsvd' },
  COORDINATOR_RESTORED: { status: 409, title: 'The coordinator was restored from a backup' },
  BACKUP_INVALID: { status: 400, title: 'A backup cannot be used' },
  LEASE_LOST: { status: 503, title: 'Another coordinator drives the run now' },
} as const satisfies Record<string, { status: number; title: string }>

/** As much of a peer's text is kept. */
const LONGEST_TEXT = 2000

export type ErrorCode = keyof typeof ERROR_CATALOGUE

/** What every refusal says: what was expected, what came, and what to do about it. */
export interface ErrorDetail {
  readonly expected: string
  readonly got: string
  readonly remedy: string
}

/** A question has its mark already. */
function ended(sentence: string): string {
  return sentence.endsWith('?') ? sentence : `${sentence}.`
}

/** An error from the catalogue. `message` is one line: `CODE: expected X, got Y. Do Z.` */
export class FedsvdError extends Error {
  override readonly name = 'FedsvdError'
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, detail: ErrorDetail, options?: { cause?: unknown }) {
    super(`${code}: expected ${detail.expected}, got ${ended(detail.got)} ${detail.remedy}`, options)
    this.code = code
    this.detail = detail
  }

  get httpStatus(): number {
    return ERROR_CATALOGUE[this.code].status
  }

  /** The form in which an error crosses the network and is printed by `--json`. */
  toJSON(): { code: ErrorCode } & ErrorDetail {
    return { code: this.code, ...this.detail }
  }

  /** Rebuilds an error that a peer sent; an unknown code becomes MESSAGE_INVALID, never an exception. */
  static fromJSON(value: unknown): FedsvdError {
    const { code, expected, got, remedy } = (value ?? {}) as Record<string, unknown>
    const text = (given: unknown, otherwise: string): string =>
      typeof given === 'string' ? given.slice(0, LONGEST_TEXT) : otherwise
    if (typeof code === 'string' && Object.hasOwn(ERROR_CATALOGUE, code)) {
      return new FedsvdError(code as ErrorCode, {
        expected: text(expected, 'a valid request'),
        got: text(got, 'an unspecified fault'),
        remedy: text(remedy, ''),
      })
    }
    return new FedsvdError('MESSAGE_INVALID', {
      expected: 'an error of the catalogue',
      got: shown(value),
      remedy: 'Check that both sides run the same version of fedsvd.',
    })
  }
}

/** The beginning of a value as JSON; what cannot be written as JSON is named by its type. */
function shown(value: unknown): string {
  try {
    return JSON.stringify(value)?.slice(0, 200) ?? 'nothing'
  } catch {
    return typeof value
  }
}

/**
 * The refusal of a file in a format of a release to come. Nothing of it is changed.
 *
 * @param what the file, such as `the ledger site.jsonl`
 * @param newest the newest format that this release reads
 */
export function writtenByNewer(what: string, newest: number | string, got: number | string): FedsvdError {
  return new FedsvdError('WRITTEN_BY_NEWER', {
    expected: `${what} in a format up to ${newest}`,
    got: `${got}, of a newer release of fedsvd`,
    remedy: 'Upgrade fedsvd here, and never run the older release on it again; nothing was changed.',
  })
}

/**
 * The number by which people know a round: from 1 on, in messages, alerts, logs and on the dashboard. The wire, the
 * ledger and the database count from 0.
 *
 * @example roundNumber(0) // 1
 */
export function roundNumber(round: number): number {
  return round + 1
}

/** True when `error` is from the catalogue, optionally with one given code. */
export function isFedsvdError(error: unknown, code?: ErrorCode): error is FedsvdError {
  return error instanceof FedsvdError && (code === undefined || error.code === code)
}

/** What a fault of the operating system means, by its code. */
interface Meaning {
  readonly code: ErrorCode
  readonly got: string
  readonly remedy: string
}

const PATH: Pick<Meaning, 'code'> = { code: 'CONFIG_INVALID' }
const FULL: Pick<Meaning, 'code'> = { code: 'STORAGE_UNAVAILABLE' }
const NETWORK: Pick<Meaning, 'code'> = { code: 'COORDINATOR_UNREACHABLE' }

const MEANINGS: Readonly<Record<string, Meaning>> = {
  EACCES: {
    ...PATH,
    got: 'permission denied',
    remedy: 'Give the user of this process access, or choose another path.',
  },
  EPERM: { ...PATH, got: 'permission denied', remedy: 'Give the user of this process access, or choose another path.' },
  EROFS: { ...FULL, got: 'a file system that is read-only', remedy: 'Mount it writable, or choose another path.' },
  ENOENT: { ...PATH, got: 'nothing there', remedy: 'Check the path.' },
  ENOTDIR: { ...PATH, got: 'a file where a folder should be', remedy: 'Remove that file, or choose another path.' },
  EISDIR: { ...PATH, got: 'a folder where a file should be', remedy: 'Name the file itself.' },
  EEXIST: { ...PATH, got: 'something there already', remedy: 'Move it away, or choose another path.' },
  ENAMETOOLONG: { ...PATH, got: 'a name that is too long', remedy: 'Choose a shorter path.' },
  ELOOP: { ...PATH, got: 'symbolic links in a circle', remedy: 'Check the links of the path.' },
  ENOSPC: { ...FULL, got: 'no space left on the disk', remedy: 'Free some space and start again.' },
  EDQUOT: { ...FULL, got: 'a quota that is used up', remedy: 'Free some space or raise the quota, and start again.' },
  EMFILE: { ...FULL, got: 'too many open files', remedy: 'Raise the limit of open files (ulimit -n).' },
  ENFILE: { ...FULL, got: 'too many open files', remedy: 'Raise the limit of open files of the system.' },
  EBUSY: { ...PATH, got: 'something that is in use', remedy: 'Close what uses it, or choose another path.' },
  EXDEV: { ...PATH, got: 'another file system', remedy: 'Keep both paths on one file system.' },
  ENOTEMPTY: { ...PATH, got: 'a folder that is not empty', remedy: 'Empty it, or choose another path.' },
  EINVAL: { ...PATH, got: 'a path or a file system that does not allow it', remedy: 'Choose another path.' },
  ENOTSUP: { ...PATH, got: 'a file system that does not allow it', remedy: 'Choose a path on a local disk.' },
  ENXIO: { ...PATH, got: 'a device or a pipe that nobody has open', remedy: 'Name a file.' },
  ESTALE: { ...FULL, got: 'a network file system that has gone', remedy: 'Mount it again.' },
  EIO: { ...FULL, got: 'an error of the disk', remedy: 'Check the disk; nothing that was written since is certain.' },
  EADDRINUSE: { code: 'PORT_IN_USE', got: 'an address that is taken', remedy: 'Choose another port.' },
  EADDRNOTAVAIL: { ...PATH, got: 'an address that this machine does not have', remedy: 'Choose another host.' },
  ECONNREFUSED: { ...NETWORK, got: 'nobody who listens there', remedy: 'Check the address, and that it runs.' },
  ECONNRESET: { ...NETWORK, got: 'a connection that was cut', remedy: 'Try again; check what stands between.' },
  ECONNABORTED: { ...NETWORK, got: 'a connection that was cut', remedy: 'Try again; check what stands between.' },
  EPIPE: { ...NETWORK, got: 'another end that has gone', remedy: 'Start it again.' },
  ETIMEDOUT: { ...NETWORK, got: 'no answer', remedy: 'Check the address and the firewalls on the way.' },
  EHOSTUNREACH: { ...NETWORK, got: 'no way there', remedy: 'Check the address and the network of this machine.' },
  ENETUNREACH: { ...NETWORK, got: 'no way there', remedy: 'Check the address and the network of this machine.' },
  ENOTFOUND: { ...NETWORK, got: 'no such host', remedy: 'Check the name of the host.' },
  EAI_AGAIN: {
    ...NETWORK,
    got: 'no answer of a name server',
    remedy: 'Check the network and the DNS of this machine.',
  },
}

/** What a person calls the calls of the system; the second word stands where the call names no file. */
const TRIED: Readonly<Record<string, readonly [what: string, unnamed?: string]>> = {
  access: ['look at', 'a file'],
  bind: ['listen at', 'an address'],
  chmod: ['change the rights of', 'a file'],
  chown: ['change the owner of', 'a file'],
  close: ['close', 'a file'],
  connect: ['connect to', 'an address'],
  copyfile: ['copy', 'a file'],
  cp: ['copy', 'a file'],
  fchmod: ['change the rights of', 'a file'],
  fdatasync: ['write', 'a file'],
  fstat: ['look at', 'a file'],
  fsync: ['write', 'a file'],
  ftruncate: ['shorten', 'a file'],
  futime: ['set the time of', 'a file'],
  getaddrinfo: ['find the address of', 'a host'],
  link: ['create', 'a link'],
  listen: ['listen at', 'an address'],
  lstat: ['look at', 'a file'],
  mkdir: ['create the folder', ''],
  mkdtemp: ['create the folder', ''],
  open: ['open', 'a file'],
  opendir: ['list the folder', ''],
  read: ['read'],
  readlink: ['follow the link', ''],
  realpath: ['look at', 'a path'],
  rename: ['rename', 'a file'],
  rm: ['remove', 'a file'],
  rmdir: ['remove the folder', ''],
  scandir: ['list the folder', ''],
  spawn: ['start the program', ''],
  stat: ['look at', 'a file'],
  symlink: ['create', 'a link'],
  truncate: ['shorten', 'a file'],
  unlink: ['remove', 'a file'],
  utime: ['set the time of', 'a file'],
  uv_cwd: ['work in the current folder', ''],
  write: ['write'],
}

/** What was tried, in words: "to be able to create the folder /srv/state". */
function attempted({ syscall, path, dest, address, port, hostname }: Readonly<Record<string, unknown>>): string {
  const [call = ''] = String(syscall).split(' ')
  const [what, unnamed = ''] = TRIED[call] ?? ['use', 'a file']
  const to = typeof dest === 'string' ? ` as ${dest}` : ''
  const socket = typeof address === 'string' ? `${address}:${String(port)}` : undefined
  const place = [path, socket, hostname, unnamed].find((one) => typeof one === 'string') as string
  return `to be able to ${what} ${place}${to}`.trimEnd()
}

const MOST_CAUSES = 8

/**
 * A fault of files or sockets, as Node reports it, in words of the catalogue; undefined for any other error. Only the
 * structure of the error is looked at (`code`, `syscall`, `path`, `dest`, `address`, `port`, `hostname`, `cause`).
 */
export function systemFault(error: unknown): FedsvdError | undefined {
  let next: unknown = error
  for (let depth = 0; depth < MOST_CAUSES && typeof next === 'object' && next !== null; depth += 1) {
    const { code, syscall, cause } = next as Readonly<Record<string, unknown>>
    const meaning = typeof code === 'string' && typeof syscall === 'string' ? MEANINGS[code] : undefined
    if (meaning !== undefined) {
      const { got, remedy } = meaning
      const expected = attempted(next as Readonly<Record<string, unknown>>)
      return new FedsvdError(meaning.code, { expected, got, remedy }, { cause: error })
    }
    next = cause
  }
  return undefined
}
