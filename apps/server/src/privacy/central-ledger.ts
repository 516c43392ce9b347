import { createHash } from 'node:crypto'
import { type AccountedEvent, eventOfClientLevelRound } from '@fedsvd/core/accounting'
import { isFedsvdError } from '@fedsvd/core/errors'
import { type Reservation, reservationFrom } from '@fedsvd/core/privacy'
import type { ClientLevel } from '@fedsvd/core/protocol'
import type { LedgerStore, PrivacyFact } from '../storage/records/index.ts'
import type { EpsilonBounds } from './epsilon.ts'
import { PrivacySpending } from './spending.ts'

export interface CentralLedgerParts {
  readonly store: LedgerStore
  readonly bounds: EpsilonBounds
  readonly now: () => number
}

/** One draw of central noise that is about to be made. */
export interface Draw {
  readonly runId: string
  readonly round: number
  readonly terms: ClientLevel
  /** Whose deltas it would cover. */
  readonly clients: readonly string[]
  /** Nothing is charged when fewer of them can pay. */
  readonly atLeast: number
}

export interface PaidDraw {
  /** Those of the clients that can pay and have paid: the others must stay out of the sum. */
  readonly clients: readonly string[]
  readonly reservation: Reservation
}

/** Draws are full batches of runs that are chosen one after the other: a Gaussian filter, which loses nothing there. */
const CENTRAL_RULE = { kind: 'gaussian' } as const
const MOST_JUDGEMENTS = 5

/**
 * The coordinator's account of client-level privacy: one per database, shared by all runs, because the unit is the
 * client and a second run with the same client spends the same budget.
 *
 * Reserve before release: a draw is paid for, durably, before its noise exists, and each further draw of a round, after
 * a crash or a fault, is another fact that is paid for again. So there are never more draws than payments.
 */
export class CentralLedger {
  readonly #parts: CentralLedgerParts
  #spending = new PrivacySpending([])
  #turn: Promise<unknown> = Promise.resolve()

  constructor(parts: CentralLedgerParts) {
    this.#parts = parts
  }

  /** Reads what is stored. */
  async load(): Promise<void> {
    this.#spending = new PrivacySpending(await this.#parts.store.clientLevelSpending())
  }

  /** What a client has spent, in all runs. */
  eventsOf(clientId: string): readonly AccountedEvent[] {
    return this.#spending.of(clientId)
  }

  /** True when one more draw is certainly within the budget of these terms, after everything spent so far. */
  async canPay(clientId: string, terms: ClientLevel): Promise<boolean> {
    const events = [...this.eventsOf(clientId), eventOfClientLevelRound(terms)]
    return await this.#parts.bounds.of(clientId).fits(events, terms.budget, CENTRAL_RULE)
  }

  /** Pays for one draw, one at a time; undefined, and nothing charged, when fewer than `atLeast` clients can. */
  reserve(draw: Draw): Promise<PaidDraw | undefined> {
    const turn = this.#turn.then(() => this.#reserve(draw))
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** Judges anew when another coordinator has charged the same clients meanwhile. */
  async #reserve(draw: Draw): Promise<PaidDraw | undefined> {
    for (let left = MOST_JUDGEMENTS; ; left -= 1) {
      try {
        return await this.#judgeAndPay(draw)
      } catch (error) {
        if (!isFedsvdError(error, 'RUN_STATE') || left === 1) throw error
      }
    }
  }

  async #judgeAndPay({ runId, round, terms, clients, atLeast }: Draw): Promise<PaidDraw | undefined> {
    const { store, now } = this.#parts
    await this.load()
    const attempt = 1 + (await store.lastDraw(runId, round))
    const verdicts = await Promise.all(clients.map((clientId) => this.canPay(clientId, terms)))
    const paying = clients.filter((_, index) => verdicts[index])
    if (paying.length < atLeast) return undefined
    const event = eventOfClientLevelRound(terms)
    const [source, voided, recordedAt] = ['coordinator' as const, false, now()]
    const facts = paying.map((clientId): PrivacyFact => {
      return { runId, round, clientId, attempt, event, source, voided, recordedAt }
    })
    await store.charge(facts, new Map(paying.map((clientId) => [clientId, stepsOf(this.eventsOf(clientId))])))
    await this.load()
    const entryHash = createHash('sha256').update(JSON.stringify(facts)).digest('hex')
    const datasetFingerprint = `clients ${paying.join(' ')}`
    return {
      clients: paying,
      reservation: reservationFrom({ event, runId, round, attempt, datasetFingerprint, entryHash, durable: true }),
    }
  }
}

function stepsOf(events: readonly AccountedEvent[]): number {
  return events.reduce((sum, { steps }) => sum + steps, 0)
}
