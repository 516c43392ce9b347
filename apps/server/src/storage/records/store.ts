import type { AuditEntry, LedgerHead, PrivacyTerms, RunState } from '@fedsvd/core/protocol'
import type { ConnectionStore, CoordinatorStore, Lease, LeaseStore, NonceStore } from './coordinator-stores.ts'
import type { DatabaseDump, WriteRows } from './dump.ts'
import type {
  AdapterRecord,
  Alert,
  AuditDraft,
  Baseline,
  BudgetCap,
  ClientRecord,
  EnrolmentToken,
  Evaluation,
  OperatorRecord,
  OperatorSession,
  Participant,
  PlanRecord,
  PrivacyFact,
  PublishedRound,
  RegisteredModel,
  RoundProgress,
  RunRecord,
  SiteEvaluationCounts,
  StoredToken,
} from './records.ts'

/**
 * Everything durable that is not a tensor. Each method is atomic: it happens as a whole or not at all, and once it has
 * resolved it survives the death of the process. Every method throws FedsvdError DATABASE_UNAVAILABLE while the
 * database does not answer; nothing has been changed then, or the change is complete and `version` shows it. A method
 * that takes an `audit` draft appends it to the audit log in the same transaction, and only where it changes something.
 */
export interface Store extends AsyncDisposable {
  readonly clients: ClientStore
  readonly runs: RunStore
  readonly participants: ParticipantStore
  readonly adapters: AdapterStore
  readonly rounds: RoundStore
  readonly registeredModels: RegisteredModelStore
  readonly ledger: LedgerStore
  readonly alerts: AlertStore
  readonly operators: OperatorStore
  readonly audit: AuditStore
  readonly references: ReferenceStore
  readonly coordinators: CoordinatorStore
  readonly leases: LeaseStore
  readonly connections: ConnectionStore
  readonly nonces: NonceStore
  /** Resolves when the database answers. */
  ping(): Promise<void>
  /** Writes the rows as they are at one moment, for a backup; absent where the store is backed up by other means. */
  dump?(write: WriteRows): Promise<DatabaseDump>
  /**
   * The same store for the owner of runs: what only an owner may write (the rounds of a run, the run's state, its
   * charges) is written together with a check, in the same transaction, that the run's lease is still the one given
   * here.
   *
   * Its methods also throw FedsvdError LEASE_LOST, and have stored nothing then. Disposing it does nothing.
   */
  fencedBy(leaseOf: LeaseOf): Store
}

/** The lease that a process holds for a run; undefined when it holds none. */
export type LeaseOf = (runId: string) => Lease | undefined

/** The result of an enrolment: the identity of the key, which may have been enrolled before, or who has the name. */
export type Enrolled = { readonly clientId: string } | { readonly namesake: ClientRecord }

/** The tokens with which sites enrol. */
export interface EnrolmentTokenStore {
  addTokens(tokens: readonly EnrolmentToken[], audit?: AuditDraft): Promise<void>
  /** The newest enrolment tokens, newest first, used and expired ones included. */
  tokens(limit: number): Promise<readonly StoredToken[]>
  /**
   * Ends the tokens whose hash begins so and that could still be used; false where there is none. Of an enrolment at
   * the same moment, one of both comes first.
   */
  withdrawToken(hashPrefix: string, at: number, audit?: AuditDraft): Promise<boolean>
  /** Ends every enrolment token that has not been used. */
  expireTokens(at: number): Promise<void>
}

export interface ClientStore extends EnrolmentTokenStore {
  /**
   * Uses the token up and creates the client, or does neither: where a client in good standing has a name that is read
   * as the same, and where the token has been used by this very key, whose first answer was lost. A token that is for a
   * name buys it, and those that are read as the same, alone.
   *
   * @throws FedsvdError TOKEN_INVALID
   */
  enrol(tokenHash: string, client: ClientRecord, audit?: AuditDraft): Promise<Enrolled>
  /** The clients, revoked ones included, whose name is read as this one, in the order of their enrolment. */
  namesakes(name: string): Promise<readonly ClientRecord[]>
  find(clientId: string): Promise<ClientRecord | undefined>
  /** By name, then identifier. */
  list(): Promise<readonly ClientRecord[]>
  /** False when it is unknown, or revoked already. */
  revoke(clientId: string, at: number, audit?: AuditDraft): Promise<boolean>
  /** Those of the clients that have been revoked. */
  revokedAmong(clientIds: readonly string[]): Promise<readonly string[]>
  /** Names of those of the clients that exist. */
  names(clientIds: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Notes that a client came or went, and what it runs where it said so. */
  seen(clientId: string, at: number, version?: string): Promise<void>
  /**
   * Remembers the ledger of a client where it is longer than the remembered one. Returns what is remembered from now
   * on: the given one, unless a longer one, or another of the same length, was known.
   */
  noteLedger(clientId: string, head: LedgerHead): Promise<LedgerHead | undefined>
  /** Every cap that a client was given, oldest first; the last one is in force. */
  capsOf(clientId: string): Promise<readonly BudgetCap[]>
  /** Every cap that any client was given, oldest first. */
  caps(): Promise<readonly BudgetCap[]>
  /**
   * Puts a cap in force. False, and nothing stored, when the data of the client have been used and the cap in force is
   * smaller in epsilon or in delta.
   */
  setCap(cap: BudgetCap, audit?: AuditDraft): Promise<boolean>
}

/** Runs themselves. */
export interface RunStore {
  /** A new run in state `waiting` with its initial adapter state, which is published at once. */
  create(run: RunRecord, initial: AdapterRecord, audit?: AuditDraft): Promise<void>
  find(runId: string): Promise<RunRecord | undefined>
  /** All runs, the newest first. */
  list(): Promise<readonly RunRecord[]>
  /** Moves a run whose state is one of `from`; false when it was in another one. */
  move(runId: string, from: readonly RunState[], to: RunChange, audit?: AuditDraft): Promise<boolean>
  /** The changes of a run's plan, in order. */
  plans(runId: string): Promise<readonly PlanRecord[]>
  /** False, and nothing stored, when the version is not the next one, the run has ended, or more rounds have begun. */
  addPlan(plan: PlanRecord, audit?: AuditDraft): Promise<boolean>
  setBaseline(runId: string, baseline: Baseline): Promise<void>
}

/** Which client takes part in which run. */
export interface ParticipantStore {
  /**
   * Adds a participant unless there is one already; the terms that were stated first are returned and stay in force.
   */
  join(participant: Participant): Promise<Participant>
  /** Records why a client left the run, or that it is back (undefined). */
  setWithdrawal(runId: string, clientId: string, code: string | undefined): Promise<void>
  /** By client identifier, ascending. */
  ofRun(runId: string): Promise<readonly Participant[]>
  /** Where a client takes or took part. */
  ofClient(clientId: string): Promise<readonly Participant[]>
  /** The runs of a client that have ended, the newest first. */
  endedRuns(clientId: string, limit: number): Promise<readonly RunRecord[]>
  /** Paused runs in which the client takes part. */
  pausedRuns(clientId: string): Promise<readonly string[]>
}

/** The adapter states of runs: number 0 is the initial one, number n the result of the n-th round. */
export interface AdapterStore {
  find(runId: string, number: number): Promise<AdapterRecord | undefined>
  /** The published state with the highest number. */
  newest(runId: string): Promise<AdapterRecord | undefined>
  /** The numbers of the states of a run that are not retired, ascending. */
  kept(runId: string): Promise<readonly number[]>
  /** Nothing refers to the bytes of these states any more, unless another row does. */
  retire(runId: string, numbers: readonly number[], at: number): Promise<void>
  /** True when the object is a published state of a run in which the client takes part. */
  mayRead(clientId: string, sha256: string): Promise<boolean>
}

/** Models by name. */
export interface RegisteredModelStore {
  /** By name, the newest version first; those that are removed left out. */
  list(): Promise<readonly RegisteredModel[]>
  /** The first version of a name, a removed one included: whose name it is. */
  firstOf(name: string): Promise<RegisteredModel | undefined>
  /**
   * Makes the next version of a name, or changes the tags of the one that the same state has; no other version of the
   * name has these tags afterwards.
   */
  register(model: Omit<RegisteredModel, 'version'>, audit?: AuditDraft): Promise<RegisteredModel>
  /** False when there is none, or it is removed already. */
  remove(which: Pick<RegisteredModel, 'name' | 'version'>, at: number, audit?: AuditDraft): Promise<boolean>
}

export interface RunChange {
  readonly state: RunState
  readonly reason?: string
  readonly endedAt?: number
}

/**
 * A change of a round together with what it means for privacy; stored as a whole. A stale update that it adds is taken
 * from the task of the round that it was made in, in the same transaction, so that it is counted once.
 */
export interface RoundChange {
  /** Absent for a round that is not stored yet. */
  readonly before?: RoundProgress
  readonly after: RoundProgress
  /** Facts that the change creates; one that is stored and voided counts again. */
  readonly spent: readonly PrivacyFact[]
  /** Clients that refused: their first attempt in this round is voided. */
  readonly refunded: readonly string[]
}

export interface RoundStore {
  find(runId: string, round: number): Promise<RoundProgress | undefined>
  /** How many rounds of a run are published; rounds are published in order. */
  publishedCount(runId: string): Promise<number>
  /**
   * False, and nothing stored, when the stored version is no longer that of `before`.
   *
   * @throws FedsvdError RUN_NOT_OPEN when another round has counted one of its stale updates; nothing is stored
   */
  save(change: RoundChange): Promise<boolean>
  /** In order of their number, from the first or a later one on. */
  published(runId: string, sinceRound?: number): Promise<readonly PublishedRound[]>
  /** Rounds from a number on, published or not, in order of their number. */
  history(runId: string, sinceRound: number, limit: number): Promise<readonly RoundProgress[]>
  /** The published round whose state measured the highest accuracy; of equals the earliest. */
  best(runId: string): Promise<{ readonly round: number; readonly accuracy: number } | undefined>
  setEvaluation(runId: string, round: number, evaluation: Evaluation): Promise<void>
  /** Of the state that came out of this round; a second time it replaces the first. */
  setSiteEvaluation(runId: string, round: number, counts: SiteEvaluationCounts): Promise<void>
}

/** What one client spent in one run with one mechanism, in one run of several. */
export interface RunSpending extends Spending {
  readonly runId: string
}

/** What one client spent in one round with one mechanism, voided facts left out. */
export interface RoundSpending extends Spending {
  readonly round: number
}

/**
 * What one client spent in one run with one mechanism: voided facts and those that are set aside left out, and what it
 * has spent in rounds that have not begun included.
 */
export interface Spending {
  readonly clientId: string
  readonly sampleRate: number
  readonly noiseMultiplier: number
  readonly steps: number
}

/** Whose statements are set aside, and where. */
export interface Quarantine {
  readonly runId: string
  readonly clientId: string
  readonly at: number
}

/** A reservation that a client's own ledger holds. */
export type ReservationKey = Pick<PrivacyFact, 'round' | 'attempt'>

/** What a client says of its own ledger: what it holds of a run from a round on, by round and attempt. */
export interface LedgerReportRecord {
  readonly runId: string
  readonly clientId: string
  readonly sinceRound: number
  readonly held: readonly ReservationKey[]
  readonly at: number
}

/** What was stored of a client in a run from a round on. */
export interface KnownSpending {
  /** Record-level facts, voided ones included, by round and attempt. */
  readonly facts: readonly PrivacyFact[]
  /** The rounds for which an update was accepted, stale ones included. */
  readonly delivered: readonly number[]
  /** Steps that its ledger was last said to hold for rounds that had not begun; 0 for none. */
  readonly stepsAhead: number
}

export interface LedgerStore {
  /** The record-level facts of a client in a run from a round on, voided ones included, by round and attempt. */
  facts(runId: string, clientId: string, sinceRound: number): Promise<readonly PrivacyFact[]>
  /** Adds facts that the client's ledger holds; one that is stored and voided counts again. */
  adopt(facts: readonly PrivacyFact[]): Promise<void>
  /** Notes how many steps a client's ledger holds for rounds that have not begun; they count as spent. */
  setAhead(runId: string, clientId: string, steps: number): Promise<void>
  /**
   * Sets aside what only the client has stated in a run, steps ahead included: it counts for nothing from then on, also
   * when it is reported again. What the coordinator charged stays. Resolves with how many facts that were.
   */
  quarantine(place: Quarantine, audit?: AuditDraft): Promise<number>
  /**
   * Notes of stored facts that the client's own ledger holds them, the first time stays, and says what was known
   * before.
   */
  report(told: LedgerReportRecord): Promise<KnownSpending>
  /** What the clients of a run have spent at record level. */
  spending(runId: string): Promise<readonly Spending[]>
  /** What each of the clients has spent at record level, run by run. */
  spendingOf(clientIds: readonly string[]): Promise<readonly RunSpending[]>
  /** Of each of the clients, its terms in the run that first counted a fact about its data; voided facts left out. */
  firstTerms(clientIds: readonly string[]): Promise<ReadonlyMap<string, PrivacyTerms>>
  /** What every client has spent at client level, in all runs. */
  clientLevelSpending(): Promise<readonly Spending[]>
  /** How often central noise was paid for in a round; 0 for never. */
  lastDraw(runId: string, round: number): Promise<number>
  /**
   * Stores new facts, all or none. With `seen`, the client-level steps of these clients in all runs, it happens only
   * if those have not changed: a budget that was checked against them is charged as it was checked.
   *
   * @throws FedsvdError RUN_STATE when one of the facts is stored already, or the steps are others by now
   */
  charge(facts: readonly PrivacyFact[], seen?: ReadonlyMap<string, number>): Promise<void>
  /** By round. */
  spendingByRound(runId: string): Promise<readonly RoundSpending[]>
  /** The rounds, from one on, for which an update of the client was accepted, stale ones included. */
  delivered(runId: string, clientId: string, sinceRound: number): Promise<readonly number[]>
}

export interface AlertStore {
  add(alert: Alert): Promise<void>
  /** The newest `limit`, of all codes or of these alone, oldest first. */
  list(runId: string, limit: number, codes?: readonly string[]): Promise<readonly Alert[]>
}

export interface OperatorStore {
  /** False, and nothing stored, when the name is taken, or the subject of its issuer is known. */
  create(operator: OperatorRecord, audit?: AuditDraft): Promise<boolean>
  find(operatorId: string): Promise<OperatorRecord | undefined>
  findByName(name: string): Promise<OperatorRecord | undefined>
  /** Who signs in by an OpenID provider. */
  findBySubject(who: { readonly issuer: string; readonly subject: string }): Promise<OperatorRecord | undefined>
  /** What the operator may do from now on, in sessions that have begun, too. */
  setRole(operatorId: string, role: OperatorRecord['role'], audit?: AuditDraft): Promise<void>
  /** By name. */
  list(): Promise<readonly OperatorRecord[]>
  /** Also ends its sessions. False when it is unknown, or disabled already. */
  disable(operatorId: string, at: number, audit?: AuditDraft): Promise<boolean>
  /** Also forgets the sessions that have expired. */
  beginSession(session: OperatorSession, audit?: AuditDraft): Promise<void>
  /** A session that has not expired, and its operator unless that is disabled. */
  session(hash: string, now: number): Promise<readonly [OperatorSession, OperatorRecord] | undefined>
  renewSession(hash: string, expiresAt: number): Promise<void>
  /** False when there is none. */
  endSession(hash: string, audit?: AuditDraft): Promise<boolean>
}

/** Append-only. However many write at once, the entries form one chain with no gap and no fork. */
export interface AuditStore {
  append(draft: AuditDraft): Promise<void>
  /** The entries that come after `seq`, oldest first, at most `limit`. */
  page(seq: number, limit: number): Promise<readonly AuditEntry[]>
  /** Those that fit, newest first. */
  search(question: AuditSearch): Promise<readonly AuditEntry[]>
}

/** What entries of the audit log are looked for by; what is absent is not asked. */
export interface AuditSearch {
  /** Only entries before this number. */
  readonly before?: number
  readonly limit: number
  readonly actors?: readonly string[]
  readonly objects?: readonly string[]
  /** Part of the name of an action. */
  readonly action?: string
  /** Not before, and not after; milliseconds since 1970. */
  readonly from?: number
  readonly to?: number
}

/** What stands between an object and its removal. */
export interface ReferenceStore {
  /**
   * Those of the names that are still needed: every adapter state that is not retired, and every update of a round that
   * is not published in a run that has not ended. With `keepUpdates`, every accepted update.
   */
  referenced(names: readonly string[], options: { readonly keepUpdates: boolean }): Promise<ReadonlySet<string>>
}
