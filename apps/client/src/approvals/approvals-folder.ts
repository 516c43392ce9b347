import { chownSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { z } from 'zod'
import { ifThere, removeDurably, writeFileDurably } from '../platform/index.ts'
import { type Decision, decisionSchema } from './decision.ts'
import { type PendingRun, pendingRunSchema, sha256Hex } from './pending-run.ts'

/**
 * What waits for a decision and what was decided, in the state folder: the running client writes the first, and
 * whoever decides at the site the second. Every file is replaced in one step, so each side reads whole ones.
 */
export interface ApprovalsFolder {
  /** Runs that wait, the oldest offer first. */
  pending(): readonly PendingRun[]
  note(run: PendingRun): void
  /** Hash of the manifest under which a run was first listed; it outlives its waiting, and the process. */
  firstManifest(runId: string): string | undefined
  /** The run waits no more. */
  forget(runId: string): void
  decision(runId: string): Decision | undefined
  record(decision: Decision): void
}

/** @param budget name of the budget whose client it is */
export function approvalsFolder(stateDir: string, budget: string): ApprovalsFolder {
  const folder = join(stateDir, 'approvals', budget)
  const fileOf = (kind: string) => (runId: string) => join(folder, `${runId}.${kind}.json`)
  const [pendingFile, decisionFile, manifestFile] = [fileOf('pending'), fileOf('decision'), fileOf('manifest')]
  const firstManifest = (runId: string) => readAs(sha256Hex, manifestFile(runId))
  return {
    pending() {
      const names = ifThere(() => readdirSync(folder)) ?? []
      const runs = names.filter((name) => name.endsWith('.pending.json')).flatMap((name) => read(join(folder, name)))
      return runs.sort((left, right) => (left.offeredAt < right.offeredAt ? -1 : 1))
    },
    note(run) {
      if (firstManifest(run.runId) === undefined) write(manifestFile(run.runId), run.manifestSha256)
      write(pendingFile(run.runId), run)
    },
    firstManifest,
    forget(runId) {
      const path = pendingFile(runId)
      if (ifThere(() => readFileSync(path)) !== undefined) removeDurably(path)
    },
    decision: (runId) => readAs(decisionSchema, decisionFile(runId)),
    record(decision) {
      const path = decisionFile(decision.runId)
      write(path, decision)
      // Root decides for a client that is another user's, who has to read it.
      const { uid, gid } = statSync(folder)
      if (process.getuid?.() === 0) chownSync(path, uid, gid)
    },
  }
}

function read(path: string): readonly PendingRun[] {
  const run = readAs(pendingRunSchema, path)
  return run === undefined ? [] : [run]
}

/** Undefined where there is no such file, or one that cannot be read or that somebody else wrote: it decides none. */
function readAs<S extends z.ZodType>(schema: S, path: string): z.output<S> | undefined {
  try {
    return schema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined) return undefined
    throw error
  }
}

function write(path: string, value: PendingRun | Decision | string): void {
  writeFileDurably(path, Buffer.from(`${JSON.stringify(value, null, 2)}\n`))
}
