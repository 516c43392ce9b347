import { randomUUID } from 'node:crypto'
import {
  type LedgerPartReply,
  type LedgerReply,
  type LedgerReport,
  ledgerPartReplySchema,
  ledgerReplySchema,
  parseMessage,
  REPORT_PART_CHARACTERS,
  wireErrorSchema,
} from '@fedsvd/core/protocol'
import type { ClientSocket } from './answers.ts'

const ANSWER_TIMEOUT_MS = 30_000

/**
 * Sends ledger reports, a long one in parts: long polling puts a message into the body of a request, and proxies limit
 * those. There is one report in parts at a time, and each part waits for the answer to the one before it.
 */
export class ReportSender {
  readonly #socket: ClientSocket
  #last: Promise<unknown> = Promise.resolve()

  constructor(socket: ClientSocket) {
    this.#socket = socket
  }

  /** @returns undefined when no answer came */
  async send(report: LedgerReport): Promise<LedgerReply | undefined> {
    const text = JSON.stringify(report)
    if (text.length <= REPORT_PART_CHARACTERS) return await this.#whole(report)
    const turn = this.#last.then(() => this.#inParts(report, text))
    this.#last = turn.catch(() => {})
    return await turn
  }

  async #whole(report: LedgerReport): Promise<LedgerReply | undefined> {
    const reply: unknown = await this.#socket
      .timeout(ANSWER_TIMEOUT_MS)
      .emitWithAck('ledger-report', report)
      .catch(() => undefined)
    return reply === undefined ? undefined : parseMessage(ledgerReplySchema, reply, 'an answer to a ledger report')
  }

  async #inParts(report: LedgerReport, text: string): Promise<LedgerReply | undefined> {
    const id = randomUUID()
    const of = Math.ceil(text.length / REPORT_PART_CHARACTERS)
    for (let index = 0; index < of; index += 1) {
      if (!this.#socket.connected) return undefined // the parts before it went with their connection
      const piece = text.slice(index * REPORT_PART_CHARACTERS, (index + 1) * REPORT_PART_CHARACTERS)
      const reply: unknown = await this.#socket
        .timeout(ANSWER_TIMEOUT_MS)
        .emitWithAck('ledger-report-part', { id, index, of, text: piece })
        .catch(() => undefined)
      if (reply === undefined) return undefined
      if (isUnknownEvent(reply)) return await this.#whole(report)
      const answer = parseMessage<LedgerPartReply>(ledgerPartReplySchema, reply, 'an answer to a part of a report')
      if ('agrees' in answer) return answer
    }
    return undefined
  }
}

/** A coordinator of an earlier release knows no parts: it answers an event that it does not know by an error alone. */
function isUnknownEvent(reply: unknown): boolean {
  const { error, ...rest } = (reply ?? {}) as { error?: unknown }
  return wireErrorSchema.safeParse(error).data?.code === 'FORBIDDEN' && Object.keys(rest).length === 0
}
