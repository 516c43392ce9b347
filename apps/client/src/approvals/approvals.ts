import { FedsvdError } from '@fedsvd/core/errors'
import type { ApprovalsFolder } from './approvals-folder.ts'
import { type Decision, decisionOn } from './decision.ts'
import type { PendingRun } from './pending-run.ts'

/** How often the folder is looked at while a run waits. */
const LOOK_MS = 250

/** The runs that wait for a decision of this site while its client is connected. */
export class Approvals implements Disposable {
  readonly #folder: ApprovalsFolder
  readonly #publicKey: string
  readonly #waiting = new Map<string, { readonly run: PendingRun; end(isDecided: boolean): void }>()
  #looking: NodeJS.Timeout | undefined

  /** @param publicKey of the site, which signs decisions */
  constructor(folder: ApprovalsFolder, publicKey: string) {
    this.#folder = folder
    this.#publicKey = publicKey
    this.#forgetAll()
  }

  get size(): number {
    return this.#waiting.size
  }

  has(runId: string): boolean {
    return this.#waiting.has(runId)
  }

  /**
   * Refuses a run that was listed under another manifest: whoever decides by its identifier may have seen that one.
   *
   * @throws FedsvdError TERMS_CHANGED
   */
  requireSameManifest({ runId, manifestSha256 }: PendingRun): void {
    const first = this.#folder.firstManifest(runId)
    if (first === undefined || first === manifestSha256) return
    throw new FedsvdError('TERMS_CHANGED', {
      expected: `the manifest ${first.slice(0, 16)}... under which run ${runId} was offered first`,
      got: `the manifest ${manifestSha256.slice(0, 16)}...`,
      remedy: 'Open a new run for another manifest; nothing was spent.',
    })
  }

  /** What was decided about a run, as it is now; undefined where nothing was. */
  decided(run: PendingRun): Decision['decision'] | undefined {
    const decision = this.#folder.decision(run.runId)
    return decision && decisionOn(run, decision, this.#publicKey)
  }

  /**
   * Lists the run among those that wait; it is on the disk when this returns.
   *
   * @returns resolves when it is decided; false where that is waited for no more: the run was offered again, has ended,
   *   or the connection is gone
   */
  ask(run: PendingRun): Promise<boolean> {
    this.#waiting.get(run.runId)?.end(false)
    this.#folder.note(run)
    return new Promise((resolve) => {
      this.#waiting.set(run.runId, { run, end: resolve })
      this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref()
    })
  }

  /** The run waits no more. @returns true where it did */
  end(runId: string, isDecided = false): boolean {
    const waiting = this.#waiting.get(runId)
    if (waiting === undefined) return false
    this.#waiting.delete(runId)
    if (this.#waiting.size === 0) {
      clearInterval(this.#looking)
      this.#looking = undefined
    }
    this.#folder.forget(runId)
    waiting.end(isDecided)
    return true
  }

  /** Nothing waits any more: what is still open is offered again at the next connection. */
  endAll(): void {
    for (const runId of this.#waiting.keys()) this.end(runId)
  }

  [Symbol.dispose](): void {
    this.endAll()
  }

  #look(): void {
    for (const { run } of this.#waiting.values()) {
      if (this.decided(run) !== undefined) this.end(run.runId, true)
    }
  }

  /** What an earlier process left. */
  #forgetAll(): void {
    for (const { runId } of this.#folder.pending()) this.#folder.forget(runId)
  }
}
