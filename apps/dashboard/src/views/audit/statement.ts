import type { AccountedEvent } from '@fedsvd/core/accounting'
import type { ClientSpending, RunSnapshot } from '@fedsvd/core/protocol'
import type { Spent } from '../../accounting/questions.ts'

/** What a client has spent in a run, together with every constant that it was computed from. */
export interface PrivacyStatement {
  readonly kind: 'fedsvd-privacy-statement'
  readonly madeAt: string
  readonly run: {
    readonly runId: string
    readonly name: string
    readonly method: string
    readonly state: string
    readonly rounds: number
    readonly roundsDone: number
  }
  readonly client: { readonly clientId: string; readonly name: string }
  readonly guarantee: {
    readonly epsilonPld: number
    readonly epsilonRdp: number
    readonly delta: number
    readonly budget: number
    readonly unit: string
    readonly relation: string
    readonly sampling: string
    readonly clipNorm: number
    readonly against: string
  }
  readonly events: readonly (AccountedEvent & { readonly rounds: number })[]
  readonly accountant: { readonly name: string; readonly version: string }
}

export function statementOf(input: {
  readonly run: RunSnapshot
  readonly client: ClientSpending
  readonly events: readonly AccountedEvent[]
  readonly spent: Spent
  readonly version: string
}): PrivacyStatement {
  const { run, client, events, spent, version } = input
  const { runId, name, state, roundsDone, manifest } = run
  return {
    kind: 'fedsvd-privacy-statement',
    madeAt: new Date().toISOString(),
    run: { runId, name, method: manifest.method, state, rounds: manifest.rounds, roundsDone },
    client: { clientId: client.clientId, name: client.name },
    guarantee: {
      ...spent,
      delta: client.terms.budget.delta,
      budget: client.terms.budget.epsilon,
      unit: 'record',
      relation: 'add-or-remove-one',
      sampling: 'Poisson, by the client itself; no amplification by the selection of clients',
      clipNorm: manifest.clipNorm,
      against:
        'everyone outside the process of the client, the coordinator included; this run only, as the coordinator counted it',
    },
    events: events.map((event, index) => ({ ...event, rounds: client.mechanisms[index]!.spent.length })),
    accountant: { name: 'pld and rdp of @fedsvd/core/accounting', version },
  }
}
