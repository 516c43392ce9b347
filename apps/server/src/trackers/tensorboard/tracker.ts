import { appendFile, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder } from '@fedsvd/engine/files'
import { parametersOf } from '../parameters.ts'
import { type LastSteps, pointsBehind } from '../points.ts'
import type { RunFacts } from '../run-facts.ts'
import type { Tracker } from '../tracker.ts'
import { keyAndStep, scalarEvent, textEvent, versionEvent } from './event.ts'
import { decodeRecords, encodeRecord } from './record.ts'

const FILE = /^events\.out\.tfevents\.(\d+)\./
const PARAMETERS = 'parameters'

export interface TensorboardOptions {
  /** The folder that TensorBoard is pointed at; each run has one of its own in it. */
  readonly folder: string
  readonly namesSites: boolean
  readonly now: () => number
}

interface Written {
  readonly file: string
  readonly last: LastSteps
  /** Of the file itself: nothing yet, or its first record and more. */
  hasBegun: boolean
}

/**
 * Event files for TensorBoard. What a file holds is known from the files themselves; a process begins a new one, so
 * that a record that its predecessor left half written is behind nothing.
 */
export function tensorboardTracker({ folder, namesSites, now }: TensorboardOptions): Tracker {
  const written = new Map<string, Written>()

  async function begin(facts: RunFacts): Promise<Written> {
    const own = path.join(folder, folderOf(facts))
    makeFolder(own)
    const last: LastSteps = new Map()
    let newest = 0
    for (const name of await readdir(own)) {
      const [, seconds] = FILE.exec(name) ?? []
      if (seconds === undefined) continue
      newest = Math.max(newest, Number(seconds))
      for (const record of decodeRecords(await readFile(path.join(own, name)))) {
        const { key, step } = keyAndStep(record) ?? {}
        if (key !== undefined && step !== undefined) last.set(key, Math.max(step, last.get(key) ?? 0))
      }
    }
    // TensorBoard reads files in the order of their names, and comes back to none.
    const seconds = Math.max(newest + 1, Math.floor(now() / 1000))
    const file = path.join(own, `events.out.tfevents.${String(seconds).padStart(10, '0')}.fedsvd`)
    return { file, last, hasBegun: false }
  }

  async function append(state: Written, events: readonly Uint8Array[]): Promise<void> {
    const all = state.hasBegun ? events : [versionEvent(now()), ...events]
    await appendFile(state.file, Buffer.concat(all.map(encodeRecord)))
    state.hasBegun = true
  }

  return {
    name: 'TensorBoard',
    async bring(facts, signal) {
      const { runId, createdAt } = facts
      const state = written.get(runId) ?? (await begin(facts))
      written.set(runId, state)
      if (!state.last.has(PARAMETERS)) {
        await append(state, [textEvent(PARAMETERS, tableOf(facts), createdAt)])
        state.last.set(PARAMETERS, 0)
      }
      for await (const points of pointsBehind(facts, state.last, { namesSites })) {
        signal.throwIfAborted()
        await append(state, points.map(scalarEvent))
      }
    },
    forget: (runId) => void written.delete(runId),
    async [Symbol.asyncDispose]() {},
  }
}

/** Readable, and no path: names of runs are free text. */
function folderOf({ name, runId }: RunFacts): string {
  const plain = name
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
  return plain === '' ? runId : `${plain}-${runId}`
}

function tableOf(facts: RunFacts): string {
  const rows = Array.from(parametersOf(facts), ([key, value]) => `| ${key} | ${value.replaceAll('|', '\\|')} |`)
  return ['| parameter | value |', '|---|---|', ...rows].join('\n')
}
