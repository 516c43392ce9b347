import type { PrivacyEvent } from '@fedsvd/core/accounting'
import type {
  AuditEntry,
  Budget,
  KeepStates,
  LedgerHead,
  PrivacyTerms,
  Role,
  RoundState,
  RunManifest,
  RunPlan,
  RunState,
} from '@fedsvd/core/protocol'

/*
 * What the coordinator remembers, in the words of the domain. All of it is immutable; times are milliseconds since
 * 1970.
 */

/** A stored object: the SHA-256 (hex) that names it, and its size. */
export interface BlobRef {
  readonly sha256: string
  readonly bytes: number
}

export interface ClientRecord {
  readonly id: string
  readonly name: string
  /** Raw 32-byte Ed25519 public key, base64url. */
  readonly publicKey: string
  readonly enrolledAt: number
  /** From here on it is turned away for good. */
  readonly revokedAt?: number
  /** When it last came or went; absent for one that never connected. */
  readonly lastSeenAt?: number
  /** The release of fedsvd that it said it runs. */
  readonly version?: string
  /** The longest ledger that it has shown. */
  readonly ledger?: LedgerHead
}

/** The most that this coordinator lets the data of a client spend, per record, in all of its runs. */
export interface BudgetCap extends Budget {
  readonly clientId: string
  /** Who set it, as the audit log names them. */
  readonly actor: string
  readonly at: number
}

/** A person who administers the coordinator. */
export interface OperatorRecord {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** scrypt, PHC string format. */
  readonly secretHash: string
  /** Who they are at an OpenID provider; absent for operators who have a secret. */
  readonly issuer?: string
  readonly subject?: string
  readonly createdAt: number
  readonly disabledAt?: number
}

/** A signed-in operator; only the hash of the session's identifier is stored. */
export interface OperatorSession {
  /** SHA-256 of the identifier, hex. */
  readonly hash: string
  readonly operatorId: string
  readonly createdAt: number
  readonly expiresAt: number
}

/** An action as it enters the audit log; its place in the chain is decided when it is stored. */
export interface AuditDraft {
  readonly at: number
  readonly actor: string
  readonly action: string
  readonly object: string
  /** Never a secret. */
  readonly detail: AuditEntry['detail']
}

/** A single-use right to enrol; only the hash of the token is stored. */
export interface EnrolmentToken {
  /** SHA-256 of the token, hex. */
  readonly hash: string
  /** The name of the client that it is for; absent where any may use it. */
  readonly name?: string | undefined
  readonly createdAt: number
  readonly expiresAt: number
}

/** A token as it is stored: with who enrolled by it, once somebody has. */
export interface StoredToken extends EnrolmentToken {
  readonly clientId?: string
}

export interface RunRecord {
  readonly manifest: RunManifest
  readonly state: RunState
  readonly reason?: string
  readonly createdAt: number
  readonly endedAt?: number
  /** The operator who created it; absent where the operator token did. */
  readonly ownerId?: string
  /** Which of its states stay once it is over; absent: all. */
  readonly keep?: KeepStates
  /** What guessing would reach on the coordinator's public hold-out; absent where there is none. */
  readonly baseline?: Baseline
}

/** A change of a run's plan; version 0, as the manifest has it, is not stored. */
export interface PlanRecord extends RunPlan {
  readonly runId: string
  /** 1, 2, 3, with no gap. */
  readonly version: number
  readonly changedAt: number
  /** The actor of the audit entry. */
  readonly changedBy: string
}

/** The part of a plan by which one round goes; fixed when the round is selected. */
export interface RoundPlan extends Readonly<Omit<RunPlan, 'rounds'>> {
  /** So many updates close the round; absent where the run goes round by round. */
  readonly bufferSize?: number
}

export interface Baseline {
  /** Share of the most frequent class. */
  readonly majority: number
  readonly records: number
}

/** A client that takes part in a run, and the terms that it stated once. */
export interface Participant {
  readonly runId: string
  readonly clientId: string
  readonly terms: PrivacyTerms
  readonly joinedAt: number
  /** The error code with which it left the run; absent while it takes part. */
  readonly withdrawal?: string
}

/** The clip norms, per record and per client, of the round that starts from a state; absent: those of the manifest. */
export interface ClipNorms {
  readonly clipNorm?: number
  readonly clientClipNorm?: number
}

/** How the factors of a state were made. */
export interface MadeFactors {
  /** As its library names it, or `javascript`. */
  readonly device: string
  readonly seconds: number
  /** How many layers the device could not do within its tolerances, so that they were done without it. */
  readonly fallbacks: number
}

/** The state that comes out of a round. */
export interface RoundResult extends BlobRef, ClipNorms {
  readonly basis: number
  /** Singular values of each layer's B A, descending, in the order of the manifest's layers. */
  readonly spectra?: readonly (readonly number[])[]
  readonly factors?: MadeFactors
}

/** A state of the adapter: number 0 is the initial one, number r + 1 came out of round r. */
export interface AdapterRecord extends RoundResult {
  readonly runId: string
  readonly number: number
  /** Clients may read it from here on. */
  readonly publishedAt?: number
  /** The rule of its run does not keep it: its bytes are gone, or will be. */
  readonly retiredAt?: number
}

/** A version of a model in the registry: a state of a run under a name. */
export interface RegisteredModel {
  readonly name: string
  /** 1, 2, 3, with no gap. */
  readonly version: number
  readonly runId: string
  /** Of the adapter state. */
  readonly number: number
  readonly tags: readonly string[]
  readonly createdAt: number
  /** As the audit log names them. */
  readonly createdBy: string
}

/** `late`: its update came when the round had closed, and a later round has counted it. */
export type TaskState = 'selected' | 'tasked' | 'refused' | 'delivered' | 'late'

/** One selected client in one round. `update` is there exactly when the state is `delivered` or `late`. */
export interface Task {
  readonly clientId: string
  readonly state: TaskState
  readonly update?: BlobRef & { readonly receivedAt: number }
}

/** An update of an earlier round that a later one counts, because its own had closed without it. */
export interface StaleUpdate extends BlobRef {
  readonly clientId: string
  /** The round that it was made in. */
  readonly round: number
  readonly receivedAt: number
}

/** All that decides how a round goes on. It is stored after every change, and a restart begins from it. */
export interface RoundProgress {
  readonly runId: string
  readonly round: number
  readonly phase: RoundState
  readonly plan: RoundPlan
  /** Counts the changes; a writer that has not seen the last one is refused. */
  readonly version: number
  readonly openedAt: number
  readonly deadline: number
  /** How often the deadline passed without a quorum. */
  readonly extensions: number
  /** By client identifier, ascending. */
  readonly tasks: readonly Task[]
  /**
   * By client identifier, ascending: at most one each, and none of a client that is asked in this round. Absent: none.
   */
  readonly late?: readonly StaleUpdate[]
  readonly closedAt?: number
  /** The state that came out of the round; there from the phase `aggregated` on. */
  readonly result?: RoundResult
  readonly publishedAt?: number
}

export interface Evaluation {
  readonly accuracy: number
  /** Mean cross-entropy in nats. */
  readonly loss: number
  readonly records: number
  /** Of tags alone: micro-averaged F1 over all labels but "O", which most words have. */
  readonly microF1?: number
}

/** What sites counted of one state, on units that they do not train on. */
export interface SiteEvaluationCounts {
  readonly sites: readonly {
    readonly clientId: string
    /** Noised, in the integers that were added up, one for each cell of the run's layout. */
    readonly counts: readonly number[]
  }[]
}

/** A published round, as its history shows it. */
export interface PublishedRound {
  readonly round: number
  /** Whose updates it counted, by client identifier, ascending. */
  readonly clients: readonly string[]
  readonly late?: readonly StaleUpdate[]
  readonly openedAt: number
  readonly publishedAt: number
  readonly evaluation?: Evaluation
  /** Of the state that came out of this round; sites measure it in the round behind. */
  readonly siteEvaluation?: SiteEvaluationCounts
}

/**
 * A fact: the data of this client were, or may have been, used once. Attempt 1 is the invitation itself; a client that
 * crashed after reserving reserves again, which is attempt 2, and so on.
 */
export interface PrivacyFact {
  readonly runId: string
  readonly round: number
  readonly clientId: string
  readonly attempt: number
  readonly event: PrivacyEvent
  /** Who stated it first. */
  readonly source: 'coordinator' | 'client'
  /** The client refused the invitation: nothing was spent. */
  readonly voided: boolean
  readonly recordedAt: number
  /** When the client first reported that its own ledger holds it. */
  readonly reportedAt?: number
  /** From here on it counts for nothing: an operator has set it aside. */
  readonly quarantinedAt?: number
}

/** Something an operator should look at. */
export interface Alert {
  readonly runId: string
  readonly clientId?: string
  readonly code: string
  readonly message: string
  readonly at: number
}
