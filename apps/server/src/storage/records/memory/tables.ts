import type { PrivacyUnit } from '@fedsvd/core/accounting'
import type { AuditEntry } from '@fedsvd/core/protocol'
import type { ConnectionRecord, CoordinatorRecord, Lease } from '../index.ts'
import type {
  AdapterRecord,
  Alert,
  BudgetCap,
  ClientRecord,
  EnrolmentToken,
  Evaluation,
  OperatorRecord,
  OperatorSession,
  Participant,
  PlanRecord,
  PrivacyFact,
  RegisteredModel,
  RoundProgress,
  RunRecord,
  SiteEvaluationCounts,
} from '../records.ts'

/** Rows by their key; compound keys are joined by {@link keyOf}. */
export interface Tables {
  readonly tokens: Map<string, EnrolmentToken & { clientId?: string }>
  readonly clients: Map<string, ClientRecord>
  readonly caps: BudgetCap[]
  readonly runs: Map<string, RunRecord>
  readonly adapters: Map<string, AdapterRecord>
  /** By run, in order. */
  readonly plans: Map<string, readonly PlanRecord[]>
  readonly participants: Map<string, Participant>
  readonly rounds: Map<string, RoundProgress>
  readonly evaluations: Map<string, Evaluation>
  readonly siteEvaluations: Map<string, SiteEvaluationCounts>
  readonly facts: Map<string, PrivacyFact>
  /** Steps of rounds that have not begun, by run and client. */
  readonly ahead: Map<string, number>
  readonly registeredModels: (RegisteredModel & { readonly isRemoved: boolean })[]
  readonly alerts: Alert[]
  readonly operators: Map<string, OperatorRecord>
  readonly sessions: Map<string, OperatorSession>
  readonly audit: AuditEntry[]
  readonly cluster: ClusterTables
}

export function emptyTables(): Tables {
  return {
    tokens: new Map(),
    clients: new Map(),
    caps: [],
    runs: new Map(),
    adapters: new Map(),
    plans: new Map(),
    participants: new Map(),
    rounds: new Map(),
    evaluations: new Map(),
    siteEvaluations: new Map(),
    facts: new Map(),
    ahead: new Map(),
    registeredModels: [],
    alerts: [],
    operators: new Map(),
    sessions: new Map(),
    audit: [],
    cluster: { coordinators: new Map(), leases: new Map(), connections: new Map(), nonces: new Map() },
  }
}

export function keyOf(...parts: readonly (string | number)[]): string {
  return parts.join('/')
}

/** Who adds the noise of an event: the site, whose runs have one unit each, or the coordinator. */
export type PrivacyLevel = 'site' | 'client'

export function levelOf(unit: PrivacyUnit): PrivacyLevel {
  return unit === 'client' ? 'client' : 'site'
}

export function factKey({
  runId,
  clientId,
  round,
  attempt,
  event,
}: Pick<PrivacyFact, 'runId' | 'clientId' | 'round' | 'attempt'> & { event: { unit: PrivacyUnit } }): string {
  return keyOf(runId, clientId, round, levelOf(event.unit), attempt)
}

/** A fact that is stored already only counts again; what was stated first stays. */
export function addFact({ facts }: Tables, fact: PrivacyFact): void {
  const known = facts.get(factKey(fact))
  facts.set(factKey(fact), known === undefined ? fact : { ...known, voided: false })
}

export function byClient<T extends { readonly clientId: string }>(left: T, right: T): number {
  return left.clientId < right.clientId ? -1 : 1
}

export interface ClusterTables {
  readonly coordinators: Map<string, CoordinatorRecord & { readonly expiresAt: number }>
  readonly leases: Map<string, Lease & { readonly expiresAt: number }>
  readonly connections: Map<string, ConnectionRecord>
  readonly nonces: Map<string, number>
}
