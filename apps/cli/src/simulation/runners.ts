import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Cell, Experiment } from './experiment.ts'
import { Laboratory } from './laboratory.ts'
import type { CellResult } from './run-cell.ts'

const FEDSVD = fileURLToPath(new URL('../../bin/fedsvd.mjs', import.meta.url))
const GRACE_MS = 10_000

/** Runs cells one after the other. */
export interface CellRunner extends AsyncDisposable {
  /** @throws FedsvdError what the cell fails with */
  run(cell: Cell, onUpdate: (updates: number) => void): Promise<CellResult>
}

/** What the process that asks says to one that computes. */
export type WorkerOrder =
  | { readonly kind: 'experiment'; readonly experiment: Experiment }
  | { readonly kind: 'cell'; readonly cell: Cell }

/** What a process that computes answers. */
export type WorkerWord =
  | { readonly kind: 'update'; readonly updates: number }
  | { readonly kind: 'done'; readonly result: CellResult }
  | { readonly kind: 'failed'; readonly error: ReturnType<FedsvdError['toJSON']> }

/** Computes in this process. */
export function runnerHere(laboratory: Laboratory, signal?: AbortSignal): CellRunner {
  return {
    run: async (cell, onUpdate) => await laboratory.run(cell, onUpdate, signal),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Computes in a process of its own, which ends with this one. */
export function runnerElsewhere(experiment: Experiment): CellRunner {
  const child = spawn(process.execPath, [FEDSVD, 'simulate', '--worker'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'close').then(() => undefined)
  tell(child, { kind: 'experiment', experiment })
  return {
    run: async (cell, onUpdate) => {
      tell(child, { kind: 'cell', cell })
      return await new Promise<CellResult>((resolve, reject) => {
        const hear = (word: WorkerWord): void => {
          if (word.kind === 'update') {
            onUpdate(word.updates)
            return
          }
          child.off('message', hear)
          if (word.kind === 'done') resolve(word.result)
          else reject(FedsvdError.fromJSON(word.error))
        }
        child.on('message', hear)
        void ended.then(() => reject(processEnded(child)))
      })
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      child.kill('SIGTERM')
      await ended
      clearTimeout(timer)
    },
  }
}

function tell(child: ChildProcess, order: WorkerOrder): void {
  child.send(order, () => {}) // a process that is gone is told of by its end
}

function processEnded({ exitCode, signalCode }: ChildProcess): FedsvdError {
  return new FedsvdError('UNEXPECTED', {
    expected: 'a process of the simulation to go on',
    got: signalCode === null ? `exit code ${exitCode}` : `its end by ${signalCode}`,
    remedy: 'Run fewer at a time with --jobs where memory is short; finished cells are kept, so add --resume',
  })
}

/** What a process does that computes for another one: it takes orders until it is told to end. */
export async function serveRunner(signal: AbortSignal): Promise<void> {
  if (process.send === undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: '--worker from `fedsvd simulate` itself',
      got: 'a process that nobody gives orders to',
      remedy: 'Ask for several processes with --jobs.',
    })
  }
  const say = (word: WorkerWord): void => {
    if (process.connected) process.send?.(word, () => {}) // nobody is left to be told where the other process has ended
  }
  let laboratory: Promise<Laboratory> | undefined
  process.on('message', (order: WorkerOrder) => {
    if (order.kind === 'experiment') {
      laboratory = Laboratory.open(order.experiment)
      laboratory.catch(() => {}) // told with the first cell
      return
    }
    const run = async (): Promise<CellResult> => {
      const opened = await laboratory!
      return await opened.run(order.cell, (updates) => say({ kind: 'update', updates }), signal)
    }
    run().then(
      (result) => say({ kind: 'done', result }),
      (error: unknown) => say({ kind: 'failed', error: asFault(error).toJSON() }),
    )
  })
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  await (await laboratory?.catch(() => undefined))?.[Symbol.asyncDispose]()
}

/** What a cell failed with, in words of the catalogue. */
export function asFault(error: unknown): FedsvdError {
  if (error instanceof FedsvdError) return error
  return new FedsvdError('UNEXPECTED', {
    expected: 'a cell to come to its end',
    got: error instanceof Error ? error.message : String(error),
    remedy: 'Run it again with --resume; set FEDSVD_DEBUG=1 to see where it comes from',
  })
}
