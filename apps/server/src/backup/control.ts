import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Logger } from 'pino'
import { z } from 'zod'
import type { DatabaseDump, Store } from '../storage/records/index.ts'
import { toFedsvdError } from '../telemetry/index.ts'
import { writeFileSynced } from './draft-folder.ts'
import { type RowsFile, writeRows } from './rows-file.ts'

/**
 * In the state folder: where its coordinator listens for backups. A process that can read this file can read
 * all that is in the folder anyway.
 */
const CONTROL_FILE = 'control.json'
const ROWS_BEGIN = 'backup-'
const ROWS_NAME = /^backup-[\d-]+\.rows$/

const controlSchema = z.strictObject({ socket: z.string() })

/**
 * What a running coordinator has written for a backup; it and the objects that it needs stay until this is disposed.
 */
export interface RunningDump extends AsyncDisposable {
  readonly file: string
  readonly dump: DatabaseDump & RowsFile
}

export interface ControlParts {
  readonly stateDir: string
  readonly dump: NonNullable<Store['dump']>
  /** Removes no object until what it returns is disposed. */
  readonly holdObjects: () => Promise<Disposable>
  readonly log: Logger
}

/**
 * Lets a process of this machine that may read the state folder ask for a consistent dump of the database while the
 * coordinator goes on. Objects are held before the dump is made and as long as the connection lasts.
 */
export async function serveControl({ stateDir, dump, holdObjects, log }: ControlParts): Promise<AsyncDisposable> {
  for (const name of await readdir(stateDir)) {
    if (name.startsWith(ROWS_BEGIN) || name === CONTROL_FILE) await rm(path.join(stateDir, name), { force: true })
  }
  // for its owner only, and short enough for a socket
  const folder = await mkdtemp(path.join(tmpdir(), 'fedsvd-control-'))
  const socket = process.platform === 'win32' ? `\\\\.\\pipe\\${path.basename(folder)}` : path.join(folder, 'socket')
  const open = new Set<Socket>()

  const serve = async (caller: Socket): Promise<void> => {
    const file = path.join(stateDir, `${ROWS_BEGIN}${process.pid}-${Date.now()}-${open.size}.rows`)
    const ended = once(caller, 'close')
    using _held = await holdObjects()
    try {
      const answer = await writeRows(file, (write) => dump(write)).then(
        (written) => ({ file, dump: written }),
        (error: unknown) => ({ error: toFedsvdError(error, log).toJSON() }),
      )
      caller.write(`${JSON.stringify(answer)}\n`)
      log.info('rows written for a backup')
      await ended
    } finally {
      await rm(file, { force: true })
    }
  }
  const server = createServer((caller) => {
    open.add(caller)
    caller.on('error', () => {})
    caller.on('close', () => open.delete(caller))
    caller.resume()
    serve(caller).catch((error: unknown) => {
      log.warn({ err: error }, 'writing the rows for a backup failed')
      caller.destroy()
    })
  })
  server.listen(socket)
  await once(server, 'listening')
  await writeFileSynced(path.join(stateDir, CONTROL_FILE), `${JSON.stringify({ socket })}\n`)
  return {
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      for (const caller of open) caller.destroy()
      await closed
      await rm(path.join(stateDir, CONTROL_FILE), { force: true })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * Asks the coordinator that runs on a state folder for a dump. Undefined where none does. The process
 * that answers has to write into that folder: a socket that a killed coordinator left could be made anew by any user.
 *
 * @throws FedsvdError what the coordinator answers; COORDINATOR_UNREACHABLE when it goes away meanwhile
 */
export async function askRunning(stateDir: string): Promise<RunningDump | undefined> {
  const text = await readFile(path.join(stateDir, CONTROL_FILE), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const caller = connect(controlSchema.parse(JSON.parse(text)).socket)
  try {
    await once(caller, 'connect')
  } catch {
    return undefined // left behind by one that was killed
  }
  const line = createInterface({ input: caller })
  const gone = once(caller, 'close').then(() => undefined)
  const [answer] = (await Promise.race([once(line, 'line'), gone])) ?? [undefined]
  if (answer === undefined) throw wentAway()
  const { error, file, dump } = JSON.parse(String(answer)) as { error?: unknown } & Omit<
    RunningDump,
    keyof AsyncDisposable
  >
  const refusal = error === undefined ? undefined : FedsvdError.fromJSON(error)
  const rows = path.join(stateDir, path.basename(file ?? ''))
  const isOwn = ROWS_NAME.test(path.basename(rows)) && existsSync(rows)
  if (refusal !== undefined || !isOwn) {
    caller.destroy()
    throw refusal ?? foreign(stateDir)
  }
  return {
    file: rows,
    dump,
    async [Symbol.asyncDispose]() {
      caller.destroy()
      await gone
    },
  }
}

function foreign(stateDir: string): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `the coordinator of ${stateDir}, which writes its rows there`,
    got: 'an answer of another process',
    remedy: `Where no coordinator runs on that folder, remove ${CONTROL_FILE} from it, and begin the backup anew.`,
  })
}

function wentAway(): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: 'the coordinator to write its database',
    got: 'a connection that ended',
    remedy: 'Look at its log, and begin the backup anew; nothing is left of this one.',
  })
}
