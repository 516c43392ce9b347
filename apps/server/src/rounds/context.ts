import type { ErrorCode } from '@fedsvd/core/errors'
import { roundNumber } from '@fedsvd/core/errors'
import type {
  Invitation,
  InvitationReply,
  Offer,
  OfferReply,
  PrivacyTerms,
  RoundClosed,
  RunEnded,
  RunManifest,
  RunPaused,
  RunPlan,
} from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { Logger } from 'pino'
import type { UploadTokens } from '../identity/index.ts'
import type { ChangeSignal, Clock } from '../platform/index.ts'
import type { CentralLedger } from '../privacy/index.ts'
import type { RefactorisationReport, Refactoriser } from '../refactorisation/index.ts'
import type { BlobStore } from '../storage/objects/index.ts'
import type { AdapterRecord, ClipNorms, Store } from '../storage/records/index.ts'
import type { RoundJournal } from './journal.ts'

/** How a run speaks to its clients. A reply is undefined when the connection ended before it came. */
export interface ClientGateway {
  offer(clientId: string, message: Offer): Promise<OfferReply | undefined>
  invite(clientId: string, message: Invitation): Promise<InvitationReply | undefined>
  roundClosed(clientId: string, message: RoundClosed): void
  runPaused(clientId: string, message: RunPaused): void
  runEnded(clientId: string, message: RunEnded): void
}

/** What a run goes by. */
export interface RunSettings {
  readonly manifest: RunManifest
  /** As it is now; a round keeps the one that it began with. */
  readonly plan: RunPlan
  /** Hex SHA-256 of the canonical adapter schema. */
  readonly schemaHash: string
  /** Updates that come when their round has closed are counted in a later one. */
  readonly acceptsStaleUpdates: boolean
}

/** How a run waits. */
export interface RunTime {
  readonly clock: Clock
  readonly changeSignal: ChangeSignal
  /** Aborted when the run is stopped or the coordinator shuts down. */
  readonly signal: AbortSignal
  /** How long a round waits for known clients that are away, once a quorum is there. */
  readonly gatherMs: number
}

/** Which clients of a run are connected. */
export interface ReadyClients {
  /** True while the client is connected, has accepted the run, and has not withdrawn. */
  isReady(clientId: string): boolean
  /** The client said that it will not train in this run any more. */
  withdraw(clientId: string, code: ErrorCode): Promise<void>
}

/** Which clients of a run have budget left. */
export interface PayingClients {
  /** Clients that take part, have not withdrawn, and can pay for a step of one more round; ascending. */
  eligible(): Promise<readonly string[]>
  /**
   * Of all clients that take part, withdrawn or not, those that can pay for a step of one more round. None where each
   * of them says that its budget is spent.
   */
  withBudget(): Promise<{ readonly clients: readonly string[]; readonly of: number }>
  /** What a client that takes part has agreed to. */
  termsOf(clientId: string): PrivacyTerms | undefined
}

/** Which clients of a run will not deliver in a round. */
export interface FailedClients {
  /** The client reported that it sends no update for this round, unless it is invited again; or it has withdrawn. */
  hasFailed(clientId: string, round: number): boolean
  /** Those that failed are invited again. */
  forget(): void
  /**
   * The client says that it has left this round behind: its ledger is ahead of this coordinator, which was restored.
   */
  noteAhead(clientId: string, round: number): void
  /**
   * True where all that take part have said so of this round and reported what they spent; they are a quorum with those
   * withdrawn.
   */
  areAllAheadOf(round: number): boolean
}

/** Which clients of a run still train for a round that has closed. */
export interface BusyClients {
  /** Clients that may still send an update for an earlier round. */
  stillTraining(): readonly string[]
  /** No update of a round before this one is taken any more: their clients are told. */
  expireBefore(round: number): void
}

/** How a run speaks: to its clients, its operators and its log. */
export interface RunMessages {
  readonly gateway: ClientGateway
  readonly tokens: UploadTokens
  alert(code: ErrorCode, message: string, clientId?: string): Promise<void>
  readonly log: Logger
}

/** What a run keeps. */
export interface RunStorage {
  readonly store: Store
  readonly blobs: BlobStore
}

/** What the coordinator's own noise and the factors of a state are made with. */
export interface RunMechanism {
  /** Pays for the coordinator's own noise. */
  readonly central: CentralLedger
  /** Randomness for one draw of it. */
  readonly noiseSource: () => RandomSource
  readonly refactoriser: Refactoriser
}

/** What a round tells its run. */
export interface RunMilestones {
  /** The run has its clients: it is no longer waiting for them. */
  begin(): Promise<void>
  /** The factors of a round's state were made. */
  refactorised(round: number, report: RefactorisationReport): void
  /** A round was published. */
  published(round: number, seconds: number): void
}

/** A run as its rounds know it. Each step of a round states which of these it uses. */
export interface RunContext {
  readonly settings: RunSettings
  readonly time: RunTime
  readonly participants: ReadyClients
  readonly budgets: PayingClients
  readonly failures: FailedClients
  readonly assignments: BusyClients
  readonly messages: RunMessages
  readonly storage: RunStorage
  readonly mechanism: RunMechanism
  readonly rounds: RunMilestones
}

/** A part of a run, by the names of what is used of it. */
export type RunWith<Used extends keyof RunContext> = Pick<RunContext, Used>

/** One round under way, with what a step uses of its run. */
export interface RoundContext<Used extends keyof RunContext = keyof RunContext> {
  readonly run: RunWith<Used>
  readonly round: number
  readonly journal: RoundJournal
  /** The published state that the round starts from. */
  readonly base: AdapterRecord
}

/** What the accepted updates come to. */
export interface Aggregate extends ClipNorms {
  readonly mean: readonly NamedTensor[]
}

/** Thrown when a run cannot or need not go on: it ends, with this reason. */
export class RunOver extends Error {
  override readonly name = 'RunOver'
  readonly state: 'failed' | 'completed'

  constructor(reason: string, state: 'failed' | 'completed' = 'failed') {
    super(reason)
    this.state = state
  }
}

/**
 * Ends a run of which too few clients can pay for the round, by what is on record here, with the rounds that it has. A
 * client that withdraws ends no run, nor do too few that ever took part: others may come, and the operators are told.
 *
 * @param committed clients that have paid for this round
 * @throws RunOver
 */
export async function requireBudgets(
  run: RunWith<'budgets' | 'settings'>,
  round: number,
  quorum: number,
  committed: readonly string[] = [],
): Promise<void> {
  const { clients, of } = await run.budgets.withBudget()
  const paying = new Set([...committed, ...clients]).size
  if (paying < quorum && of >= quorum) throw budgetsSpent(run, round, `${quorum}, ${paying} can pay for it`)
}

/** A run that has a round ends as completed: for want of budget is how many runs are meant to end. */
export function budgetsSpent({ settings }: RunWith<'settings'>, round: number, needs: string): RunOver {
  const { rounds } = settings.plan
  const reason = `too few clients with budget left: round ${roundNumber(round)} needs ${needs}`
  return new RunOver(`${reason}; the run ends with ${round} of ${rounds} rounds`, round > 0 ? 'completed' : 'failed')
}
