import { randomUUID } from 'node:crypto'
import { unitOfRun } from '@fedsvd/core/accounting'
import { type ErrorCode, FedsvdError, roundNumber } from '@fedsvd/core/errors'
import { CLIP_NORM_RANGE } from '@fedsvd/core/privacy'
import type {
  Invitation,
  InvitationReply,
  LedgerHead,
  LedgerReport,
  Offer,
  OfferReply,
  RunEnded,
  RunManifest,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { LeftOut } from '@fedsvd/engine/datasets'
import type { Approvals } from './approvals/index.ts'
import type { SiteData } from './data/index.ts'
import { type ClientEvent, leftOutEvent } from './events.ts'
import { lastAttempt, nextAttempt, spentEvents } from './ledger/index.ts'
import type { Outbox } from './outbox/index.ts'
import {
  catalogued,
  requireRoomForRun,
  requireStateSize,
  requireStepsAllowed,
  requireUsualState,
  roundFailureCode,
  toWireError,
} from './policy/index.ts'
import type { ReleaseClock } from './release/index.ts'
import { QuietTime, ReadyTurns, type ReleaseGrid, releaseGrid, systemClock } from './release/index.ts'
import { runRound, type SimulatedRandomness, type WhenDiskHasRoom, whenDiskHasRoom } from './round/index.ts'
import { ActiveRounds, type RoundHandle } from './runs/active-rounds.ts'
import type { ClosedRounds } from './runs/closed-rounds.ts'
import { Endings, type SiteEnding } from './runs/ending.ts'
import type { JoinedRuns } from './runs/joined-runs.ts'
import { type AgreementParts, agreeTo, type OpenRun } from './runs/open-runs.ts'
import { runToAskAbout } from './runs/pending-run.ts'
import type { StepSnapshots } from './step-snapshots/index.ts'
import {
  ANSWER_HOLD_MS,
  type CoordinatorLink,
  CutOff,
  endOfHold,
  type LinkHandlers,
  LOOPBACK,
  type Moment,
  type Transport,
} from './transport/index.ts'

const HOUR_MS = 3_600_000
const MOST_OFFERS_WAITING = 16
/** A coordinator waits no longer than ten minutes for the answer to an offer. */
const LONGEST_ANSWER_SECONDS = 300
/** After these a site is asked for nothing more in a run. */
const LAST_WORDS: readonly ErrorCode[] = ['BUDGET_EXHAUSTED', 'LEDGER_DAMAGED', 'LEDGER_MISMATCH']

/** What a node is made of; every effect comes in here. */
export interface NodeParts
  extends Omit<AgreementParts, 'coordinator' | 'signal' | 'onLeftOut' | 'quiet' | 'readyTurns'> {
  readonly site: SiteData
  readonly clientId: string
  readonly outbox: Outbox
  readonly snapshots: StepSnapshots
  readonly joined: JoinedRuns
  readonly closed: ClosedRounds
  /** Runs that wait for a decision of the site. */
  readonly approvals: Approvals
  readonly transport: Transport
  readonly source: RandomSource
  /** Of the lots alone, where a test draws them apart from the noise; `source` where it is absent. */
  readonly lotSource?: RandomSource | undefined
  /** Random numbers of a simulated site: it speaks to the coordinator of its own process and to no other. */
  readonly simulated?: SimulatedRandomness | undefined
  /** Where releases are on a public grid of time: what they are measured by. Absent: each leaves when it is made. */
  readonly releaseClock?: ReleaseClock | undefined
  signChallenge(clientId: string, nonce: string): string
  onEvent(event: ClientEvent): void
}

/** For what a full disk is waited for. */
interface DiskWait {
  readonly manifest: RunManifest
  readonly signal: AbortSignal
  readonly round?: number
  /** The coordinator waits for the answer. */
  readonly isAnswer?: boolean
}

/** An offer that waits for a decision of the site: false where that is waited for no more. */
interface Undecided {
  readonly decided: Promise<boolean>
}

interface ReportOptions {
  /** Rounds from here on. */
  readonly since?: number
  readonly signal?: AbortSignal
  readonly moment?: Moment | undefined
}

/** The connected node: answers offers and invitations, and trains in the background. */
export class ClientNode implements AsyncDisposable {
  /** Resolves at the first connection. */
  readonly connected: Promise<void>
  /** Resolves with the reason when the coordinator turns this node away for good. */
  readonly turnedAway: Promise<Error>
  readonly #parts: NodeParts
  readonly #link: CoordinatorLink
  readonly #runs = new Map<string, OpenRun>()
  readonly #clock: ReleaseClock
  /** How long answers are kept back, in milliseconds. */
  readonly #holdMs: number
  readonly #work: ActiveRounds
  readonly #quiet: QuietTime
  readonly #readyTurns = new ReadyTurns()
  /** Runs whose spending the coordinator remembers better than this ledger. */
  readonly #mismatched = new Map<string, FedsvdError>()
  /** Runs whose facts, all of them, the coordinator has agreed with since this site connected. */
  readonly #agreed = new Set<string>()
  readonly #stopped = new AbortController()
  /** Offers are answered one after the other: each reads what the ledger has promised to those before it. */
  #agreeing: Promise<unknown> = Promise.resolve()
  /** The last offer that this site has declined. */
  #lastDeclined: { readonly runId: string; readonly error: FedsvdError } | undefined
  /** Offers that wait for their answer, and until when: an answer that is kept back is waited for as well. */
  #offersWaiting: readonly { until: number }[] = []
  /** When new runs were agreed to, in milliseconds, within the last hour. */
  #newRuns: readonly number[] = []
  #toldOfChange = false
  /** Rounds between their invitation and their release: how far they are shows in the length of the ledger. */
  #inTraining = 0
  /** The ledger as it was when no round was in training: what a coordinator is told. */
  #told: LedgerHead | undefined
  /** Runs of which the site's operator was told when updates leave. */
  readonly #toldSlots = new Set<string>()
  readonly #endings = new Endings()
  #beside: Disposable | undefined
  /** Runs that have ended, and are put away. */
  readonly #ends = new Set<Promise<void>>()

  /** @throws FedsvdError NOISE_INVALID for random numbers of a simulation on the way to another process */
  constructor(parts: NodeParts) {
    requireOwnProcess(parts)
    this.#parts = parts
    const clock = parts.releaseClock ?? systemClock
    this.#clock = clock
    this.#holdMs = parts.releaseClock === undefined ? 0 : ANSWER_HOLD_MS
    this.#work = new ActiveRounds(() => clock.now())
    this.#quiet = new QuietTime(clock, this.#holdMs)
    let connected: () => void = () => {}
    this.connected = new Promise((resolve) => {
      connected = resolve
    })
    let turnedAway: (reason: Error) => void = () => {}
    this.turnedAway = new Promise((resolve) => {
      turnedAway = resolve
    })
    const { clientId, ledger } = parts
    this.#told = ledger.head
    this.#link = parts.transport.open(
      {
        clientId,
        instance: randomUUID(),
        signChallenge: (id, nonce) => parts.signChallenge(id, nonce),
        ledgerHead: (at) => {
          const told = this.#toldHead()
          if (told === undefined) return undefined
          const head = at === undefined || at > told.length ? undefined : ledger.hashAt(at)
          return { ...told, ...(at !== undefined && head !== undefined && { confirmed: { length: at, head } }) }
        },
      },
      this.#handlers({ connected: () => connected(), turnedAway: (reason) => turnedAway(reason) }),
    )
  }

  /**
   * The end of the next run in which this node takes part, or took part before it was started; or that it takes part in
   * none, because it declined all that it was offered. Rejects when the coordinator turns the node away for good.
   */
  nextEnding(): Promise<SiteEnding> {
    return this.#endings.next()
  }

  /** Is let go of when this node has stopped. */
  beside(held: Disposable): void {
    this.#beside = held
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('the client was stopped'))
    this.#parts.approvals[Symbol.dispose]()
    const ended = this.#work.endAll(new CutOff('the client was stopped'))
    const closed = this.#link[Symbol.asyncDispose]()
    await Promise.all([ended, closed, this.#agreeing, ...this.#ends])
    for (const run of this.#runs.values()) await run.close()
    this.#parts.site[Symbol.dispose]()
    this.#parts.ledger[Symbol.dispose]()
    this.#beside?.[Symbol.dispose]()
  }

  #handlers({ connected, turnedAway }: { connected(): void; turnedAway(reason: Error): void }): LinkHandlers {
    const { onEvent, clientId } = this.#parts
    const { coordinator } = this.#parts.transport
    return {
      onConnected: (transport, at) => {
        connected()
        this.#agreed.clear()
        onEvent({ event: 'connected', coordinator, clientId, ...(transport === 'polling' && { transport }) })
        for (const runId of this.#runs.keys()) void this.#report(runId, { moment: momentOf(at) }).catch(() => {})
      },
      onDisconnected: (reason) => {
        this.#parts.approvals.endAll() // nobody waits for these answers: what is open is offered again
        if (!this.#stopped.signal.aborted) onEvent({ event: 'disconnected', reason })
      },
      onUnreachable: (error = unreachable(coordinator)) => onEvent({ event: 'unreachable', error: error.toJSON() }),
      onRefused: (error, at) => {
        onEvent({ event: 'refused', error: catalogued(error).toJSON() })
        // It can turn a site away whenever it likes, and the site is started again by whoever looks after it.
        for (const runId of this.#runs.keys()) this.#close(runId, this.#work.roundOf(runId))
        void this.#work.endAll(new CutOff('the coordinator turned this client away', at))
        turnedAway(error)
        this.#endings.tell(error)
      },
      onNonsense: (error) => onEvent({ event: 'dropped', error: catalogued(error).toJSON() }),
      onOffer: (offer, at) => {
        const came = at ?? this.#clock.now()
        this.#offersWaiting = this.#offersWaiting.filter(({ until }) => until > came)
        if (this.#offersWaiting.length < MOST_OFFERS_WAITING) return this.#answerOrWait(offer, at)
        const { runId, name } = offer.manifest
        return Promise.resolve(this.#declined(tooManyOffers(), { runId, name }))
      },
      onInvitation: (invitation, at) => this.#answerInvitation(invitation, at),
      onRoundClosed: ({ runId, round }, at) => {
        this.#close(runId, round)
        void this.#work.end(runId, new CutOff('the round is closed', at), round)
      },
      onRunPaused: ({ runId }, at) => {
        const round = this.#work.hold(runId, at)
        if (this.#runs.has(runId)) onEvent({ event: 'run-paused', runId, ...(round !== undefined && { round }) })
      },
      onRunEnded: (ending, at) => {
        const end = this.#endRun(ending, at).finally(() => this.#ends.delete(end))
        this.#ends.add(end)
      },
    }
  }

  /** Answers an offer when it is decided: by the policy alone, or when somebody at the site has decided. */
  async #answerOrWait(offer: Offer, at: number | undefined): Promise<OfferReply> {
    const answer = await this.#answerInTurn(offer, at)
    if ('accepted' in answer) return answer
    if (!(await answer.decided)) return { accepted: false, error: toWireError(noMoreWaitedFor()).toJSON() }
    // What follows now follows from the decision: the hours before are no work beside the rounds of other runs.
    return await this.#answerOrWait(offer, at === undefined ? undefined : this.#clock.now())
  }

  /** Offers are answered in their order; one that waits for a decision lets the others pass. */
  async #answerInTurn(offer: Offer, at: number | undefined): Promise<OfferReply | Undecided> {
    const waiting = { until: Number.POSITIVE_INFINITY }
    this.#offersWaiting = [...this.#offersWaiting, waiting]
    const answer = this.#agreeing.then(() => this.#answerOffer(offer, at))
    this.#agreeing = answer
    return await answer.finally(() => {
      const now = this.#clock.now()
      waiting.until = at === undefined ? now : endOfHold(at, now, this.#holdMs)
      this.#tellIfOut()
    })
  }

  async #answerOffer({ manifest }: Offer, at: number | undefined): Promise<OfferReply | Undecided> {
    const { onEvent, transport, approvals } = this.#parts
    const { runId, name } = manifest
    try {
      const known = this.#runs.get(runId)
      const { coordinator } = transport
      const isPending = approvals.has(runId)
      if (known === undefined) this.#requireRoomForRun(at ?? this.#clock.now(), isPending)
      const onLeftOut = (id: string, leftOut: LeftOut) => this.#tellLeftOut(leftOut, id)
      const [quiet, readyTurns] = [this.#quiet, this.#readyTurns]
      const parts = { ...this.#parts, coordinator, signal: this.#stopped.signal, onLeftOut, quiet, readyTurns }
      const whenDiskHasRoom = this.#whenDiskHasRoom({ manifest, signal: this.#stopped.signal, isAnswer: true })
      const agreeOrAsk = async () => {
        this.#renewBudget()
        const asked = known === undefined ? runToAskAbout(manifest, parts, approvals, new Date()) : undefined
        return asked ?? (await agreeTo(manifest, parts, known))
      }
      const run = await this.#quiet.aside(() => whenDiskHasRoom(agreeOrAsk), at)
      if ('offeredAt' in run) {
        const decided = approvals.ask(run)
        if (!isPending) onEvent({ event: 'pending', run })
        return { decided }
      }
      this.#runs.set(runId, run)
      this.#lastDeclined = undefined
      await whenDiskHasRoom(() => this.#parts.joined.add(runId))
      const { terms } = run.bound
      onEvent({ event: 'joined', runId, name, terms, unit: unitOfRun(manifest) })
      void this.#report(runId, { moment: momentOf(at) }).catch(() => {})
      return { accepted: true, terms }
    } catch (error) {
      this.#lastDeclined = { runId, error: catalogued(error) }
      return this.#declined(error, { runId, name })
    }
  }

  /** A site that has declined all that it was offered waits for nothing; told when the answer is on its way. */
  #tellIfOut(): void {
    setImmediate(() => {
      const declined = this.#lastDeclined
      if (
        declined === undefined ||
        this.#offersWaiting.some(({ until }) => until === Number.POSITIVE_INFINITY) ||
        this.#runs.size + this.#parts.approvals.size > 0
      )
        return
      this.#endings.tell({ kind: 'declined', ...declined })
    })
  }

  /** A run that waits for a decision counts once, however often it is offered. @throws FedsvdError RATE_LIMITED */
  #requireRoomForRun(came: number, isCounted: boolean): void {
    this.#newRuns = this.#newRuns.filter((at) => came - at < HOUR_MS)
    const others = isCounted ? Math.max(0, this.#newRuns.length - 1) : this.#newRuns.length
    requireRoomForRun(this.#runs.size, others, this.#parts.limits)
    if (!isCounted) this.#newRuns = [...this.#newRuns, came]
  }

  /** A new period of the budget begins on the day that the data owner signed, also while this process runs. */
  #renewBudget(): void {
    const { ledger, onEvent } = this.#parts
    const from = ledger.renewIfDue()
    if (from !== undefined)
      onEvent({ event: 'budget-renewed', from, name: ledger.state.name, budget: ledger.state.budget })
  }

  #tellLeftOut(leftOut: LeftOut, runId: string): void {
    if (leftOut.count > 0) this.#parts.onEvent(leftOutEvent(leftOut, runId))
  }

  #tellChange(): void {
    const { site, onEvent } = this.#parts
    if (this.#toldOfChange || !site.hasChanged()) return
    this.#toldOfChange = true
    onEvent({ event: 'data-changed', path: site.path })
  }

  /** Says yes or no before anything is spent; training then goes on in the background. */
  async #answerInvitation(invitation: Invitation, at: number | undefined): Promise<InvitationReply> {
    const { runId, round } = invitation
    try {
      const run = this.#runs.get(runId)
      if (run === undefined) throw notOffered(runId)
      requireClipNorm(run, invitation)
      this.#renewBudget()
      requireStepsAllowed((round + 1) * run.manifest.localSteps, this.#parts.policy)
      requireStateSize(run.manifest, invitation)
      this.#requireReady(run, invitation)
      await this.#requireOneStateOnDisk(run, invitation)
      const moment = momentOf(at)
      this.#work.start(invitation, (handle) => this.#train(run, invitation, { ...handle, moment }), at)
      return { accepted: true }
    } catch (error) {
      const failure = catalogued(error)
      if (LAST_WORDS.includes(failure.code)) {
        setImmediate(() => this.#endings.tell({ kind: 'declined', runId, error: failure }))
      }
      const name = this.#runs.get(runId)?.manifest.name
      return this.#declined(failure, { runId, ...(name !== undefined && { name }), round })
    }
  }

  /** The state of a round is noted on the disk, and a full one is waited for; the run may have gone on meanwhile. */
  async #requireOneStateOnDisk(run: OpenRun, invitation: Invitation): Promise<void> {
    const { runId, round } = invitation
    const note = (): void => this.#requireOneState(invitation)
    try {
      note()
    } catch (error) {
      if (catalogued(error).code !== 'STORAGE_UNAVAILABLE') throw error
      const place = { manifest: run.manifest, signal: this.#stopped.signal, round, isAnswer: true }
      await this.#whenDiskHasRoom(place)(note)
      if (this.#runs.get(runId) !== run) throw notOffered(runId)
      this.#requireReady(run, invitation)
    }
  }

  /**
   * A coordinator that was restored from a backup may come to the same round again by another way. What this site has
   * made for it goes on from another state, and would move the new one to where it does not belong.
   *
   * @throws FedsvdError UPDATE_STALE
   */
  #requireOneState({ runId, round, state: { sha256 } }: Invitation): void {
    const atWork = this.#work.roundOf(runId)
    const isNew = lastAttempt(this.#parts.ledger.state, runId, round) === undefined && atWork !== round
    const paid = this.#parts.ledger.state.attempts.filter((attempt) => attempt.runId === runId)
    const keep = [atWork, Math.max(...paid.map((attempt) => attempt.round))] // earlier rounds than that are declined
    const noted = this.#parts.outbox.begin({ runId, round, isNew, keep }, sha256)
    if (noted === sha256) return
    throw new FedsvdError('UPDATE_STALE', {
      expected: `round ${roundNumber(round)} of run ${runId} from the state ${noted.slice(0, 16)}..., as it was begun`,
      got: `the state ${sha256.slice(0, 16)}...`,
      remedy: 'The coordinator was restored from a backup. This site takes part in later rounds, or in a new run.',
    })
  }

  /** @throws FedsvdError LEDGER_MISMATCH, UPDATE_STALE, BUDGET_EXHAUSTED */
  #requireReady({ manifest, bound }: OpenRun, { round, rounds = manifest.rounds }: Invitation): void {
    const { ledger } = this.#parts
    const { runId } = manifest
    const mismatch = this.#mismatched.get(runId)
    if (mismatch !== undefined) throw mismatch
    const newest = Math.max(this.#parts.closed.before(runId), ...this.#begunRounds(runId))
    if (round < newest || round >= rounds) {
      throw new FedsvdError('UPDATE_STALE', {
        expected: `a round from ${roundNumber(newest)} to ${rounds} of run ${runId}`,
        got: `round ${roundNumber(round)}`,
        remedy: 'Invite to the next round.',
      })
    }
    const last = lastAttempt(ledger.state, runId, round)
    if (last?.frameSha256 !== undefined || this.#work.roundOf(runId) === round) return
    nextAttempt(ledger.state, bound, round, { dataset: ledger.fingerprint })
  }

  /**
   * The ledger as it was when no round was in training. Its length follows how many steps were made, and a coordinator
   * may ask for it whenever it likes; the end of a training it hears by the grid of release times.
   */
  #toldHead(): LedgerHead | undefined {
    if (this.#inTraining === 0) this.#told = this.#parts.ledger.head
    return this.#told
  }

  /** Hides the ledger's progress until what it returns is called. */
  #hideProgress(): () => void {
    this.#toldHead()
    this.#inTraining += 1
    let hidden = true
    return () => {
      if (hidden) this.#inTraining -= 1
      hidden = false
    }
  }

  /**
   * What comes of another invitation to this round would tell whether its training had ended: it is not begun again,
   * neither by this process nor by one after it.
   */
  #close(runId: string, round: number | undefined): void {
    if (round === undefined) return
    const { ledger, closed, onEvent } = this.#parts
    const begun = Math.max(-1, ...this.#begunRounds(runId).filter((one) => one <= round))
    const isTold = begun === -1 || lastAttempt(ledger.state, runId, begun)?.outcome !== undefined
    try {
      closed.close(runId, round, isTold)
    } catch (error) {
      onEvent({ event: 'round-failed', runId, round, error: catalogued(error).toJSON() })
    }
  }

  /** Rounds of a run that were begun, by this process or one before. */
  #begunRounds(runId: string): readonly number[] {
    const atWork = this.#work.roundOf(runId)
    const { attempts } = this.#parts.ledger.state
    const begun = attempts.filter((attempt) => attempt.runId === runId).map(({ round }) => round)
    return atWork === undefined ? begun : [...begun, atWork]
  }

  /** Hides in the length of the ledger how far a round came that was ended from outside. */
  #padToFullLength(runId: string, round: number): void {
    try {
      this.#parts.ledger.padToFullLength(runId, round)
    } catch (error) {
      this.#parts.onEvent({ event: 'round-failed', runId, round, error: catalogued(error).toJSON() })
    }
  }

  async #train(
    run: OpenRun,
    invitation: Invitation,
    handle: RoundHandle & { readonly moment: Moment | undefined },
  ): Promise<() => void> {
    const { uploadToken, tokenCameAt, resumeGate, signal, moment } = handle
    const { onEvent, ledger } = this.#parts
    const { runId, round, rounds = run.manifest.rounds } = invitation
    let release: ReleaseGrid | undefined
    /** What follows now follows from the coordinator's answers alone. */
    let isReleased = false
    /** Of a round that is ended from outside: settles when its slot has ended. */
    let cut = Promise.resolve()
    const released = this.#hideProgress()
    try {
      onEvent({ event: 'round-started', runId, round, rounds })
      this.#tellChange()
      const engine = await run.engine()
      const grid = await this.#releaseGrid(run, handle)
      const begin = (): void => grid.begin(moment && Math.max(moment.at, run.readyAt()))
      release = {
        ...grid,
        begin,
        endOfSlot: async (until) => {
          begin()
          const end = await grid.endOfSlot(until)
          if (moment !== undefined) moment.at = end
          isReleased = true
          released()
          return end
        },
      }
      signal.addEventListener('abort', () => {
        const at = signal.reason instanceof CutOff ? signal.reason.at : undefined
        cut = grid.endOfCutSlot(this.#stopped.signal, at).catch(() => {})
      })
      await runRound({
        ...this.#parts,
        whenDiskHasRoom: this.#whenDiskHasRoom({ manifest: run.manifest, signal, round }),
        work: (until) => this.#quiet.work(until),
        manifest: run.manifest,
        run: run.bound,
        records: run.records,
        engine,
        release,
        link: this.#link,
        moment,
        invitation,
        uploadToken,
        tokenCameAt,
        resumeGate,
        signal,
        accept: (state) => requireUsualState(state, this.#parts.limits),
        report: () => this.#report(runId, { since: this.#agreed.has(runId) ? round : 0, signal, moment }),
        onNotEvaluated: () => onEvent({ event: 'not-evaluated', runId, round }),
        onShortened: (length) => onEvent({ event: 'round-shortened', runId, round, ...length }),
        onResumed: (progress) => onEvent({ event: 'round-resumed', runId, round, ...progress }),
        onPart: (progress) => onEvent({ event: 'part', runId, round, ...progress }),
        onLotFault: ({ error, ...place }) =>
          onEvent({ event: 'lot-failed', runId, round, ...place, error: catalogued(error).toJSON() }),
        onStep: (progress) => onEvent({ event: 'step', runId, round, ...progress }),
      })
      return () => onEvent({ event: 'round-delivered', runId, round, events: spentEvents(ledger.state).length })
    } catch (error) {
      if (!isReleased) await release?.endOfSlot(signal).catch(() => {})
      if (signal.aborted) {
        this.#padToFullLength(runId, round)
        return () => {}
      }
      released()
      const failure = catalogued(error)
      // The round counts as at work until its failure has left: another invitation before that must change nothing.
      await this.#link.roundFailed({ runId, round, code: roundFailureCode(failure.code) }, moment)
      return () => onEvent({ event: 'round-failed', runId, round, error: failure.toJSON() })
    } finally {
      void cut.then(released)
    }
  }

  /**
   * A full disk is waited for as long as a round, or an answer, has time, and its end is told to the site's operator.
   */
  #whenDiskHasRoom({ manifest, signal, round, isAnswer = false }: DiskWait): WhenDiskHasRoom {
    const { releaseClock: clock = systemClock, onEvent } = this.#parts
    const { runId, deadlineSeconds } = manifest
    const place = { runId, ...(round !== undefined && { round }) }
    const limitMs = 1000 * (isAnswer ? Math.min(deadlineSeconds, LONGEST_ANSWER_SECONDS) : deadlineSeconds)
    return whenDiskHasRoom({
      clock,
      limitMs,
      signal,
      onFull: (error) => onEvent({ event: 'disk-full', ...place, error: error.toJSON() }),
      onRoom: () => onEvent({ event: 'disk-has-room', ...place }),
    })
  }

  /** Begins the slots of a round; the first round of a run times the engine for them. */
  async #releaseGrid(run: OpenRun, { resumeGate, pausedMs }: RoundHandle): Promise<ReleaseGrid> {
    const { releaseClock: clock, onEvent } = this.#parts
    const slotMs = clock === undefined ? 0 : await run.slotLength(clock)
    const { runId, deadlineSeconds } = run.manifest
    const fits = slotMs <= 1000 * deadlineSeconds
    if (!this.#toldSlots.has(runId)) onEvent({ event: 'release-slot', runId, seconds: slotMs / 1000, fits })
    this.#toldSlots.add(runId)
    const heldMs = (at: number) => pausedMs(at) + this.#quiet.totalMs(at)
    return releaseGrid({ clock: clock ?? systemClock, slotMs, resumeGate, pausedMs: heldMs })
  }

  /**
   * Reports the reservations of a run: all of them at each connection and offer, and again before a round is trained
   * until the coordinator has agreed with them; from then on those of the round alone. A coordinator that holds proof
   * of more than this ledger does ends this site's part in the run: the ledger may be an old copy, and its budget spent
   * already.
   *
   * @throws FedsvdError LEDGER_MISMATCH
   * @throws the signal's reason when it aborts
   */
  async #report(runId: string, { since = 0, signal, moment }: ReportOptions = {}): Promise<void> {
    const { ledger, onEvent } = this.#parts
    const reservations: LedgerReport['reservations'] = ledger.state.attempts
      .filter(({ runId: owner, round, aside }) => owner === runId && round >= since && aside !== true)
      .map(({ round, attempt, event }) => ({ round, attempt, event: { ...event } }))
    const facts = { runId, since, reservations }
    const { agrees, error } = await this.#link.report({ ...facts, ledger: this.#toldHead() }, signal, moment)
    if (agrees) {
      if (since === 0) this.#agreed.add(runId)
      return
    }
    const said = FedsvdError.fromJSON(error)
    onEvent({ event: 'ledger-mismatch', runId, error: said.toJSON() })
    if (said.code !== 'LEDGER_MISMATCH') return
    this.#mismatched.set(runId, said)
    throw said
  }

  async #endRun(ending: RunEnded, at: number | undefined): Promise<void> {
    const { runId, code } = ending
    await this.#agreeing
    if (this.#parts.approvals.end(runId)) this.#parts.onEvent({ event: 'run-ended', ...ending })
    const run = this.#runs.get(runId)
    if (run === undefined && !this.#isAbandoned(runId)) return
    this.#runs.delete(runId)
    for (const round of this.#begunRounds(runId)) this.#close(runId, round)
    const isAtWork = this.#work.roundOf(runId) !== undefined
    const tell = (): void => this.#endings.tell({ kind: code === undefined ? 'ended' : 'refused', ...ending })
    // A site that ends with its run closes its connection then: not when the round has come to a place to stop at.
    if (isAtWork) tell()
    await this.#work.end(runId, new CutOff('the run has ended', at))
    await run?.close().catch(() => {}) // an engine that fails to close has no more to say about the run
    this.#parts.outbox.clear(runId)
    this.#parts.snapshots.clear(runId)
    this.#parts.stores.prune()
    this.#parts.joined.end(runId)
    this.#parts.onEvent({ event: 'run-ended', ...ending })
    if (!isAtWork) tell()
  }

  /**
   * True for a run of this coordinator that an earlier process of this site joined, and that ended while the site was
   * away.
   */
  #isAbandoned(runId: string): boolean {
    const { ledger, transport, joined } = this.#parts
    return ledger.state.runs.get(runId)?.coordinator === transport.coordinator && joined.end(runId)
  }

  #declined(error: unknown, place: { runId: string; name?: string; round?: number }) {
    const refusal = catalogued(error)
    this.#parts.onEvent({ event: 'declined', ...place, error: refusal.toJSON() })
    return { accepted: false as const, error: toWireError(refusal).toJSON() }
  }
}

/** What follows from a seed protects nobody, so it leaves this process on no way. */
function requireOwnProcess({ simulated, transport }: Pick<NodeParts, 'simulated' | 'transport'>): void {
  if (simulated === undefined || transport.coordinator === LOOPBACK) return
  throw new FedsvdError('NOISE_INVALID', {
    expected: 'a coordinator in the same process, for a site whose random numbers follow from a seed',
    got: transport.coordinator,
    remedy: 'Nothing was sent. Leave the randomness of a site that joins a coordinator at its default.',
  })
}

/** The beginning of a conversation: when what it begins with came, where that is known. */
function momentOf(at: number | undefined): Moment | undefined {
  return at === undefined ? undefined : { at }
}

/** An invitation names a clip norm exactly where the manifest, to which this site agreed, adapts it; and not any. */
function requireClipNorm({ manifest }: OpenRun, { clipNorm }: Invitation): void {
  const farthest = Math.log(CLIP_NORM_RANGE) + 1e-9
  const fits =
    manifest.adaptiveClipping === undefined
      ? clipNorm === undefined
      : clipNorm !== undefined && Math.abs(Math.log(clipNorm / manifest.clipNorm)) <= farthest
  if (fits) return
  throw new FedsvdError('TERMS_CHANGED', {
    expected: manifest.adaptiveClipping
      ? `the clip norm of this round, within a factor of ${CLIP_NORM_RANGE} of ${manifest.clipNorm}`
      : 'no clip norm but that of the manifest',
    got: clipNorm === undefined ? 'no clip norm' : String(clipNorm),
    remedy: 'Invite under the manifest that was offered; nothing was spent.',
  })
}

function tooManyOffers(): FedsvdError {
  return new FedsvdError('RATE_LIMITED', {
    expected: `at most ${MOST_OFFERS_WAITING} offers that wait for their answer`,
    got: `${MOST_OFFERS_WAITING + 1} offers`,
    remedy: 'Offer again when the others are answered.',
  })
}

/** Leaves on a question that has had its time: nobody reads it. */
function noMoreWaitedFor(): FedsvdError {
  return new FedsvdError('SITE_DECLINED', {
    expected: 'an offer that is still open',
    got: 'one that was made again, or whose run has ended',
    remedy: 'Offer the run again.',
  })
}

function notOffered(runId: string): FedsvdError {
  return new FedsvdError('RUN_NOT_FOUND', {
    expected: 'a run that was offered to this client',
    got: runId,
    remedy: 'Offer the run first.',
  })
}

/** The one line about a coordinator that does not answer. */
export function unreachable(coordinator: string): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `a coordinator at ${coordinator}`,
    got: 'no answer',
    remedy: 'Check the address, the network and that the coordinator runs; this client keeps trying.',
  })
}
