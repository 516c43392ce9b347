import { join } from 'node:path'
import type { ClientEvent, ClientNode } from '@fedsvd/client'
import { startSimulatedSite } from '@fedsvd/client/simulation'
import { unitOfRun } from '@fedsvd/core/accounting'
import { FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { LIMITS, type RunManifest, type RunRequest, type RunSnapshot, resolveManifest } from '@fedsvd/core/protocol'
import type { RecordSource } from '@fedsvd/engine/datasets'
import type { PrivateEngine } from '@fedsvd/engine/training'
import type { EvaluatorFactory } from '@fedsvd/server'
import { type LoopbackCoordinator, startLoopbackCoordinator } from '@fedsvd/server/loopback'
import type { ModelRegistry } from '@fedsvd/server/models'
import { identifierOf } from './identifier.ts'
import { Spending } from './spending.ts'
import { throwAwayFolder } from './throw-away-folder.ts'

/** The records of one simulated site, and what it declares of them. */
export interface SitePart {
  /** Whatever it is called, such as the value of a column; no two alike. */
  readonly name: string
  readonly declaredRecords: number
  readonly records: RecordSource
}

/** One federation that is run from beginning to end. */
export interface CellSetup {
  readonly request: RunRequest
  /** Of the lots and the noise of the sites. */
  readonly seed: string
  readonly sites: readonly SitePart[]
  readonly models: ModelRegistry
  readonly evaluatorFor: EvaluatorFactory
  engineFor(manifest: RunManifest): Promise<PrivateEngine>
  /** An update was delivered, the `updates`th of the cell. */
  onUpdate?(updates: number): void
  readonly signal?: AbortSignal
}

/** What a round of a cell came to. */
export interface RoundResult {
  /** From 1. */
  readonly round: number
  readonly accuracy?: number
  /** Mean cross-entropy in nats. */
  readonly loss?: number
  readonly microF1?: number
  /** Sites whose updates count. */
  readonly sites: number
  readonly seconds: number
  /** Upper bound by PLD of what the site that has spent most has spent so far. */
  readonly epsilon: number
}

export interface CellResult {
  readonly rounds: readonly RoundResult[]
  /** Accuracy of guessing the largest class of the hold-out, and how many records that has. */
  readonly majority?: number
  readonly holdOutRecords?: number
  readonly seconds: number
  /** Sites that declined the run, with the reason of the first. */
  readonly declined: number
  readonly reason?: string
}

/** A coordinator never waits for a simulated site that is slow: it only ever waits for its turn to compute. */
const DEADLINE_SECONDS = LIMITS.deadlineSeconds.most
const SILENT = { logLevel: 'silent', gatherSeconds: 0 } as const

/**
 * Runs one federation in this process: the coordinator's rounds, the sites' private rounds and their ledgers as they
 * are in a live one, over a loopback. Nothing is left behind.
 *
 * @throws FedsvdError RUN_STATE where the run is not completed, and what a site fails with
 * @throws the signal's reason when it aborts
 */
export async function runCell(setup: CellSetup): Promise<CellResult> {
  const { seed, sites, models, evaluatorFor, signal = new AbortController().signal } = setup
  const begun = performance.now()
  await using folder = await throwAwayFolder()
  let enrolled = 0
  const nextId = (): string => identifierOf(seed, enrolled++)
  const coordinator = await startLoopbackCoordinator(
    { ...SILENT, stateDir: folder.path },
    { models, evaluatorFor, nextId },
  )
  const watch = new SiteWatch(setup)
  const nodes: ClientNode[] = []
  try {
    const { target } = setup.request
    const { task } = resolveManifest(setup.request)
    const unit = unitOfRun(setup.request)
    const tokens = await coordinator.enrolmentTokens(sites.length)
    for (const [index, { name, declaredRecords, records }] of sites.entries()) {
      signal.throwIfAborted()
      const site = { name: `site ${index + 1}`, declaredRecords, records, budget: target, task, unit }
      const engineFor = (manifest: RunManifest) => setup.engineFor(manifest)
      const own = { enrolmentToken: tokens[index]!, seed: `${seed}/${name}`, folder: join(folder.path, String(index)) }
      const onEvent = (event: ClientEvent): void => watch.note(index, event)
      nodes.push(await startSimulatedSite({ ...site, ...own, engineFor, onEvent }, coordinator.port))
    }
    const run = await runToItsEnd(coordinator, setup, watch, signal)
    const { baseline } = run
    return {
      rounds: roundsOf(run, watch.spending, target.delta),
      ...(baseline && { majority: baseline.majority, holdOutRecords: baseline.records }),
      seconds: (performance.now() - begun) / 1000,
      declined: watch.declined,
      ...(watch.firstReason !== undefined && { reason: watch.firstReason.message }),
    }
  } finally {
    await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]()))
    await coordinator[Symbol.asyncDispose]()
  }
}

async function runToItsEnd(
  coordinator: LoopbackCoordinator,
  { request }: CellSetup,
  watch: SiteWatch,
  signal: AbortSignal,
): Promise<RunSnapshot> {
  const asked = { ...request, quorum: quorumOf(request), deadlineSeconds: DEADLINE_SECONDS }
  const { runId } = await coordinator.createRun(asked)
  const run = await Promise.race([coordinator.ended(runId), watch.failure, aborted(signal)])
  if (run.state === 'completed') return run
  throw new FedsvdError('RUN_STATE', {
    expected: 'the simulated run to complete',
    got: `${run.state} (${run.reason ?? 'no reason given'})`,
    remedy: 'Correct the configuration by what the reason says',
  })
}

/** Every site that is asked delivers, so a round waits for all of them: it comes to the same whenever it is run. */
function quorumOf({ clientsPerRound, mode }: RunRequest): number {
  return mode?.name === 'buffered' ? Math.min(clientsPerRound, mode.bufferSize) : clientsPerRound
}

/** How many sites have to take part for the first round to begin. */
function requiredSites(request: RunRequest): number {
  return Math.ceil(request.clientsPerRound * resolveManifest(request).overSelection)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

/** What the sites of a cell tell their own operators, who here are one. */
class SiteWatch {
  readonly spending = new Spending()
  declined = 0
  firstReason: FedsvdError | undefined
  /** Rejects when a site fails, or when so many decline that no round begins. */
  readonly failure: Promise<never>
  #fail: (error: Error) => void = () => {}
  readonly #setup: CellSetup
  #updates = 0

  constructor(setup: CellSetup) {
    this.#setup = setup
    this.failure = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.failure.catch(() => {})
  }

  note(site: number, event: ClientEvent): void {
    if (event.event === 'joined') this.spending.agreed(site, event.terms)
    else if (event.event === 'step') this.spending.step(site, event.round)
    else if (event.event === 'round-delivered') this.#setup.onUpdate?.(++this.#updates)
    else if (event.event === 'round-failed' || event.event === 'refused') this.#fail(FedsvdError.fromJSON(event.error))
    else if (event.event === 'declined' && event.round === undefined) this.#declined(FedsvdError.fromJSON(event.error))
  }

  #declined(reason: FedsvdError): void {
    this.declined += 1
    this.firstReason ??= reason
    const { sites, request } = this.#setup
    if (sites.length - this.declined < requiredSites(request)) this.#fail(this.firstReason)
  }
}

function roundsOf(run: RunSnapshot, spending: Spending, delta: number): RoundResult[] {
  return run.rounds.map(({ round, clients, late = [], seconds, evaluation }) => ({
    round: roundNumber(round),
    ...(evaluation && { accuracy: evaluation.accuracy, loss: evaluation.loss }),
    ...(evaluation?.microF1 !== undefined && { microF1: evaluation.microF1 }),
    sites: clients.length + late.length,
    seconds,
    epsilon: spending.most(round, delta),
  }))
}
