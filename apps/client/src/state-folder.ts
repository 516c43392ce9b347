import { cpSync, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { type FileLock, lockFile } from '@fedsvd/engine/files/locks'
import { hasKey, KEY_FILE } from './identity/identity.ts'
import { SITE_BUDGET } from './ledger/index.ts'
import { ifThere, makeFolderDurably, writeFileDurably } from './platform/index.ts'

/** What the release before called the state folder, in the working directory. */
const EARLIER_DEFAULT = join('.fedsvd', 'client')

/** The variables of the environment that decide where state is kept. */
export type StateEnvironment = Readonly<Partial<Record<'FEDSVD_HOME' | 'XDG_STATE_HOME' | 'LOCALAPPDATA', string>>>

/**
 * The state folder of this user's client, the same from whichever working directory it is started, because a budget
 * belongs to people and not to folders: `$FEDSVD_HOME/client`, or `fedsvd/client` in the system's folder for state.
 */
export function defaultStateDir(env: StateEnvironment = process.env, home = homedir()): string {
  const { FEDSVD_HOME, XDG_STATE_HOME, LOCALAPPDATA } = env
  if (FEDSVD_HOME) return resolve(FEDSVD_HOME, 'client')
  const system = process.platform === 'win32' ? LOCALAPPDATA : XDG_STATE_HOME
  return join(system || join(home, '.local', 'state'), 'fedsvd', 'client')
}

/**
 * State folders that the release before made by default where this client is started or where its data lie:
 * `.fedsvd/client` in the working directory, in the data's folder, and in every folder above these. The nearest comes
 * first.
 */
export function earlierStateDirs(
  stateDir: string,
  dataFiles: string | readonly string[],
  workingDirectory = process.cwd(),
): readonly string[] {
  const own = existsSync(stateDir) ? realpathSync(stateDir) : resolve(stateDir)
  const folders = [dataFiles].flat().map((file) => dirname(resolve(workingDirectory, file)))
  const places = [resolve(workingDirectory), ...folders].flatMap((folder) => [...upwards(folder)])
  const found = places.map((place) => join(place, EARLIER_DEFAULT)).filter((place) => existsSync(place))
  return [...new Set(found.map((place) => realpathSync(place)))].filter((place) => place !== own)
}

/**
 * Takes over, into a folder without a key, what a site of the release before needs to go on: its key and enrolments,
 * frames that are not delivered yet and steps of rounds that broke off. Its ledgers stay where they are, and are
 * adopted. The key comes last, so what was interrupted is done again.
 */
export function takeOver(stateDir: string, earlier: readonly string[]): void {
  const key = join(stateDir, KEY_FILE)
  const from = earlier.find((place) => existsSync(join(place, KEY_FILE)))
  if (hasKey(stateDir) || from === undefined) return
  for (const part of ['enrolments', 'outbox', 'checkpoints']) {
    if (existsSync(join(from, part))) cpSync(join(from, part), join(stateDir, part), { recursive: true })
  }
  writeFileDurably(key, readFileSync(join(from, KEY_FILE)))
}

/**
 * Makes this process the only one that runs the client of a budget on a state folder, before anything is read, enrolled
 * or connected: two of them would end each other's connection.
 *
 * @throws FedsvdError LEDGER_LOCKED naming the process that runs it
 */
export function holdState(stateDir: string, budget = SITE_BUDGET): FileLock {
  const folder = join(stateDir, RUNNING)
  makeFolderDurably(folder)
  return lockFile(join(folder, `${budget}.lock`), (holder) => {
    return new FedsvdError('LEDGER_LOCKED', {
      expected: `no other client on the state folder ${resolve(stateDir)}`,
      got: `${holder}, which runs ${budget === SITE_BUDGET ? 'there' : `the client of the budget "${budget}" there`}`,
      remedy:
        'Nothing was changed. Stop that client first, or give this one a state folder of its own with --state-dir ' +
        'where it is another site, with other people in its data.',
    })
  })
}

/** Of the state folder: which clients run on it. */
const RUNNING = 'running'

/** The budgets whose clients have run on a state folder, and whether they run now. */
export function clientsOn(stateDir: string): readonly { readonly budget: string; readonly isRunning: boolean }[] {
  const files = ifThere(() => readdirSync(join(stateDir, RUNNING))) ?? []
  return files
    .filter((file) => file.endsWith('.lock'))
    .map((file) => ({ budget: basename(file, '.lock'), isRunning: isHeld(stateDir, basename(file, '.lock')) }))
}

function isHeld(stateDir: string, budget: string): boolean {
  try {
    holdState(stateDir, budget)[Symbol.dispose]()
    return false
  } catch (error) {
    if (isFedsvdError(error, 'LEDGER_LOCKED')) return true
    throw error
  }
}

function* upwards(folder: string): Generator<string> {
  for (let place = folder; ; place = dirname(place)) {
    yield place
    if (dirname(place) === place) return
  }
}
