import { FedsvdError } from '@fedsvd/core/errors'
import { type LedgerReportPart, ledgerReportPartSchema, parseMessage } from '@fedsvd/core/protocol'

/**
 * The ledger report that one connection sends in parts. There is one at a time, of at most {@link mostCharacters}, so
 * this is also the most that a client can make the coordinator keep.
 */
export class ReportInParts {
  readonly #mostCharacters: number
  #id: string | undefined
  #of = 0
  #texts: string[] = []

  constructor(mostCharacters: number) {
    this.#mostCharacters = mostCharacters
  }

  /**
   * Takes the next part; one that it has already is taken again.
   *
   * @returns the text of the report once it is whole, and undefined before
   * @throws FedsvdError MESSAGE_INVALID for a part that is not the next one, or one too many; what came is dropped
   */
  take(message: unknown): string | undefined {
    const part = parseMessage(ledgerReportPartSchema, message, 'a part of a ledger report')
    if (part.index === 0 && part.id !== this.#id) this.#begin(part)
    if (this.#has(part)) return undefined
    const length = this.#texts.reduce((sum, text) => sum + text.length, part.text.length)
    const isNext = this.isNext(part)
    if (!isNext || length > this.#mostCharacters) throw this.#refuse(part, isNext)
    this.#texts.push(part.text)
    if (this.#texts.length < this.#of) return undefined
    const text = this.#texts.join('')
    this.drop()
    return text
  }

  /** Whether a message, which may be anything, says of itself that it goes on where the last part ended. */
  isNext(message: unknown): boolean {
    const { id, index, of } = (message ?? {}) as { id?: unknown; index?: unknown; of?: unknown }
    return this.#id !== undefined && id === this.#id && of === this.#of && index === this.#texts.length
  }

  /** Forgets what has come so far. */
  drop(): void {
    this.#id = undefined
    this.#texts = []
  }

  #begin({ id, of }: LedgerReportPart): void {
    this.#id = id
    this.#of = of
    this.#texts = []
  }

  #has({ id, index, of, text }: LedgerReportPart): boolean {
    return id === this.#id && of === this.#of && this.#texts[index] === text
  }

  #refuse({ index, of }: LedgerReportPart, isNext: boolean): FedsvdError {
    const expected = isNext
      ? `a report of at most ${this.#mostCharacters} characters in all its parts`
      : this.#id === undefined
        ? 'part 1, which begins a report'
        : `part ${this.#texts.length + 1} of ${this.#of} of the report that was begun`
    this.drop()
    return new FedsvdError('MESSAGE_INVALID', {
      expected,
      got: isNext ? `more in part ${index + 1} of ${of}` : `part ${index + 1} of ${of}`,
      remedy: 'Send the parts of one report in order, each after the answer to the one before it.',
    })
  }
}
