import { type FedsvdError, FedsvdError as FedsvdFault, isFedsvdError } from '@fedsvd/core/errors'
import type {
  Invitation,
  InvitationReply,
  LedgerReport,
  Offer,
  OfferReply,
  PrivacyTerms,
  RunEnded,
  RunManifest,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { EncodedRecord } from '@fedsvd/engine/data'
import type { Tokenizer } from '@fedsvd/engine/tokenizer'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { type SiteData, tokenise } from './data/index.ts'
import type { ClientEvent } from './events.ts'
import {
  type BoundRun,
  canonicalJson,
  eventOfRun,
  lastAttempt,
  type PrivacyLedger,
  requireBudget,
  sha256Hex,
  spentEvents,
} from './ledger/index.ts'
import type { Outbox } from './outbox/index.ts'
import { runRound } from './round/index.ts'
import { termsFor } from './session/terms.ts'
import type { CoordinatorLink, LinkHandlers, Transport } from './transport/index.ts'

/** What a node is made of; every effect comes in here. */
export interface NodeParts {
  readonly clientId: string
  readonly site: SiteData
  readonly declaredRecords: number
  readonly ledger: PrivacyLedger
  readonly outbox: Outbox
  readonly transport: Transport
  readonly source: RandomSource
  readonly tokenizer: Tokenizer
  engineFor(manifest: RunManifest): Promise<TrainingEngine>
  signChallenge(clientId: string, nonce: string): string
  onEvent(event: ClientEvent): void
}

/** A run that this node takes part in, as long as the process lives. */
interface OpenRun {
  readonly manifest: RunManifest
  readonly bound: BoundRun
  readonly records: readonly EncodedRecord[]
  engine?: Promise<TrainingEngine>
}

interface RoundAtWork {
  readonly invitation: Invitation
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** The connected node: answers offers and invitations, and trains one round at a time. */
export class ClientNode implements AsyncDisposable {
  private readonly parts: NodeParts
  private readonly runs = new Map<string, OpenRun>()
  private readonly link: CoordinatorLink
  private readonly endings = new Set<(ending: RunEnded) => void>()
  private work: RoundAtWork | undefined
  private queue: Promise<void> = Promise.resolve()
  private refusal: ((error: Error) => void) | undefined
  private connectedOnce = Promise.resolve()

  constructor(parts: NodeParts) {
    this.parts = parts
    let connected: () => void = () => {}
    this.connectedOnce = new Promise((resolve) => {
      connected = resolve
    })
    this.link = parts.transport.open(
      { clientId: parts.clientId, signChallenge: (clientId, nonce) => parts.signChallenge(clientId, nonce) },
      this.handlers(connected),
    )
  }

  /** Resolves at the first connection. */
  get connected(): Promise<void> {
    return this.connectedOnce
  }

  /** The end of the next run in which this node takes part; rejects when the coordinator turns the node away for good. */
  nextEnding(): Promise<RunEnded> {
    return new Promise((resolve, reject) => {
      this.endings.add(resolve)
      this.refusal = reject
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.work?.abort.abort(new Error('the client was stopped'))
    this.link[Symbol.dispose]()
    await this.work?.done.catch(() => {})
    for (const { engine } of this.runs.values()) await (await engine?.catch(() => undefined))?.[Symbol.asyncDispose]()
    this.parts.ledger[Symbol.dispose]()
  }

  private handlers(connected: () => void): LinkHandlers {
    const { onEvent, transport } = this.parts
    return {
      onConnected: () => {
        connected()
        onEvent({ event: 'connected', coordinator: transport.coordinator, clientId: this.parts.clientId })
      },
      onDisconnected: (reason) => onEvent({ event: 'disconnected', reason }),
      onRefused: (error) => {
        onEvent({ event: 'refused', error: catalogued(error).toJSON() })
        this.refusal?.(error)
      },
      onOffer: (offer) => this.answerOffer(offer),
      onInvitation: (invitation) => this.answerInvitation(invitation),
      onRoundClosed: ({ runId, round }) => this.closeRound(runId, round),
      onRunEnded: (ending) => this.endRun(ending),
    }
  }

  /** Agrees to a run on terms of this node's own making, durably and once; the same run later gets the same terms. */
  private async answerOffer({ manifest }: Offer): Promise<OfferReply> {
    const { ledger, site, tokenizer, transport, onEvent } = this.parts
    try {
      const terms = ledger.state.runs.get(manifest.runId)?.terms ?? this.termsFor(manifest)
      const bound: BoundRun = {
        runId: manifest.runId,
        coordinator: transport.coordinator,
        manifestSha256: sha256Hex(canonicalJson(manifest)),
        terms,
        event: eventOfRun(manifest, terms),
      }
      const records = this.runs.get(manifest.runId)?.records ?? tokenise(site, tokenizer, manifest)
      ledger.bind(bound)
      this.runs.set(manifest.runId, { ...this.runs.get(manifest.runId), manifest, bound, records })
      onEvent({ event: 'joined', runId: manifest.runId, name: manifest.name, terms })
      void this.report(manifest.runId)
      return { accepted: true, terms }
    } catch (error) {
      const refusal = catalogued(error)
      onEvent({ event: 'declined', runId: manifest.runId, error: refusal.toJSON() })
      return { accepted: false, error: refusal.toJSON() }
    }
  }

  private termsFor(manifest: RunManifest): PrivacyTerms {
    const { ledger, site, declaredRecords } = this.parts
    const { budget } = ledger.state
    return termsFor(manifest, {
      records: site.records.length,
      declaredRecords,
      budget,
      spent: spentEvents(ledger.state),
    })
  }

  /** Says yes or no before anything is spent; training then goes on in the background. */
  private async answerInvitation(invitation: Invitation): Promise<InvitationReply> {
    const { ledger, onEvent } = this.parts
    const { runId, round } = invitation
    try {
      const run = this.runs.get(runId)
      if (run === undefined) {
        throw new FedsvdFault('RUN_NOT_FOUND', {
          expected: 'a run that was offered to this client',
          got: runId,
          remedy: 'Offer the run first',
        })
      }
      if (this.work?.invitation.runId === runId && this.work.invitation.round === round) return { accepted: true }
      const finished = lastAttempt(ledger.state, runId, round)?.frameSha256 !== undefined
      if (!finished) requireBudget(spentEvents(ledger.state), run.bound.event, ledger.state.budget)
      this.start(run, invitation)
      return { accepted: true }
    } catch (error) {
      const refusal = catalogued(error)
      onEvent({ event: 'declined', runId, round, error: refusal.toJSON() })
      return { accepted: false, error: refusal.toJSON() }
    }
  }

  /** Puts a round behind the one at work; a newer round of the same run ends an older one. */
  private start(run: OpenRun, invitation: Invitation): void {
    if (this.work?.invitation.runId === invitation.runId) this.work.abort.abort(new Error('a newer round has begun'))
    const abort = new AbortController()
    const done = this.queue.then(() => this.train(run, invitation, abort.signal))
    this.work = { invitation, abort, done }
    this.queue = done
  }

  private async train(run: OpenRun, invitation: Invitation, signal: AbortSignal): Promise<void> {
    const { onEvent, ledger } = this.parts
    const { runId, round } = invitation
    try {
      signal.throwIfAborted()
      onEvent({ event: 'round-started', runId, round, rounds: run.manifest.rounds })
      run.engine ??= this.parts.engineFor(run.manifest)
      await runRound({
        ...this.parts,
        manifest: run.manifest,
        run: run.bound,
        records: run.records,
        engine: await run.engine,
        link: this.link,
        invitation,
        signal,
        report: () => this.report(runId, signal),
        onStep: (progress) => onEvent({ event: 'step', runId, round, ...progress }),
      })
      onEvent({ event: 'round-delivered', runId, round, events: spentEvents(ledger.state).length })
    } catch (error) {
      if (!signal.aborted) onEvent({ event: 'round-failed', runId, round, error: catalogued(error).toJSON() })
    } finally {
      if (this.work?.invitation === invitation) this.work = undefined
    }
  }

  /** Reports the facts of a run; a disagreement is an alert, not a reason to stop: the site's own ledger decides. */
  private async report(runId: string, signal?: AbortSignal): Promise<void> {
    const reservations: LedgerReport['reservations'] = this.parts.ledger.state.attempts
      .filter((attempt) => attempt.runId === runId)
      .map(({ round, attempt, event }) => ({ round, attempt, event: { ...event } }))
    try {
      const { agrees, error } = await this.link.report({ runId, reservations }, signal)
      if (!agrees) this.parts.onEvent({ event: 'ledger-mismatch', runId, error: error ?? undefined })
    } catch (error) {
      if (isFedsvdError(error)) this.parts.onEvent({ event: 'ledger-mismatch', runId, error: error.toJSON() })
    }
  }

  private closeRound(runId: string, round: number): void {
    const { invitation } = this.work ?? {}
    if (invitation?.runId === runId && invitation.round <= round)
      this.work?.abort.abort(new Error('the round is closed'))
  }

  private endRun(ending: RunEnded): void {
    if (!this.runs.has(ending.runId)) return
    if (this.work?.invitation.runId === ending.runId) this.work.abort.abort(new Error('the run has ended'))
    this.parts.onEvent({ event: 'run-ended', ...ending })
    for (const resolve of this.endings) resolve(ending)
    this.endings.clear()
  }
}

function catalogued(error: unknown): FedsvdError {
  if (isFedsvdError(error)) return error
  return new FedsvdFault(
    'UNEXPECTED',
    {
      expected: 'no failure here',
      got: error instanceof Error ? error.message : String(error),
      remedy: 'Look at the log of this client',
    },
    { cause: error },
  )
}
