import { randomUUID } from 'node:crypto'
import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { type Clock, sleep } from '../platform/index.ts'

/** What travels between coordinators. `to` is absent where it is for all. */
export type Envelope = { readonly from: string; readonly name: string; readonly body: unknown } & (
  | { readonly kind: 'tell' }
  | { readonly kind: 'call'; readonly to: string; readonly id: string }
  | { readonly kind: 'answer'; readonly to: string; readonly id: string }
)

export type Answer = { readonly value: unknown } | { readonly error: unknown }

export interface ChannelOptions {
  /** This coordinator. */
  readonly id: string
  readonly clock: Clock
  /** Sends to all others. It may be lost, and may arrive twice. */
  readonly send: (envelope: Envelope) => void
  /** What others say; whatever it throws is ignored. */
  readonly onTell: (name: string, body: unknown, from: string) => void
  /** What others ask of this coordinator; errors of the catalogue travel. */
  readonly onCall: (name: string, body: unknown, from: string) => Promise<unknown>
}

const FIRST_REPEAT_MS = 1000
const LONGEST_REPEAT_MS = 30_000
/** How long an answer is kept for a caller that did not get it. */
const ANSWER_LIFETIME_MS = 60_000

/**
 * Calls between coordinators over messages that may get lost: a call is sent again until it is answered, and a call
 * that arrives again is answered, not made, again. One whose answer has been forgotten is made again, so whatever is
 * called must be safe to repeat.
 */
export class Channel implements Disposable {
  readonly #options: ChannelOptions
  readonly #pending = new Map<string, (answer: Answer) => void>()
  /** By call; each is forgotten some time after it has been given. */
  readonly #answers = new Map<string, { readonly answer: Promise<Answer>; forget?: () => void }>()

  constructor(options: ChannelOptions) {
    this.#options = options
  }

  /** Says something to all others, once. */
  tell(name: string, body: unknown): void {
    const { send, id } = this.#options
    send({ kind: 'tell', from: id, name, body })
  }

  /** @throws FedsvdError what the other coordinator threw, or COORDINATOR_UNREACHABLE once the signal is aborted */
  async call(to: string, name: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const { clock, send, id: from } = this.#options
    const id = randomUUID()
    const over = new AbortController()
    const giveUp = (): void => over.abort()
    signal.addEventListener('abort', giveUp) // not AbortSignal.any, which keeps what it is made of
    if (signal.aborted) giveUp()
    let answer: Answer | undefined
    this.#pending.set(id, (given) => {
      answer = given
      over.abort()
    })
    for (let wait = FIRST_REPEAT_MS; !over.signal.aborted; wait = Math.min(LONGEST_REPEAT_MS, 2 * wait)) {
      send({ kind: 'call', from, to, id, name, body })
      await sleep(clock, wait, over.signal)
    }
    this.#pending.delete(id)
    signal.removeEventListener('abort', giveUp)
    if (answer === undefined) throw unreachable(to)
    if ('error' in answer) throw FedsvdError.fromJSON(answer.error)
    return answer.value
  }

  receive(envelope: Envelope): void {
    const { id: self, onTell } = this.#options
    if (envelope.kind === 'tell') onTell(envelope.name, envelope.body, envelope.from)
    else if (envelope.to !== self) return
    else if (envelope.kind === 'answer') this.#pending.get(envelope.id)?.(envelope.body as Answer)
    else void this.#answer(envelope)
  }

  [Symbol.dispose](): void {
    for (const { forget } of this.#answers.values()) forget?.()
    this.#answers.clear()
  }

  async #answer({ id, from, name, body }: Envelope & { kind: 'call' }): Promise<void> {
    const { send, id: self, clock, onCall } = this.#options
    const known = this.#answers.get(id)
    const entry: { readonly answer: Promise<Answer>; forget?: () => void } = known ?? {
      answer: onCall(name, body, from).then((value) => ({ value }), failed),
    }
    this.#answers.set(id, entry)
    send({ kind: 'answer', from: self, to: from, id, name, body: await entry.answer })
    if (known === undefined && this.#answers.has(id)) {
      entry.forget = clock.at(clock.now() + ANSWER_LIFETIME_MS, () => this.#answers.delete(id))
    }
  }
}

function failed(error: unknown): Answer {
  const known = isFedsvdError(error)
    ? error
    : new FedsvdError('UNEXPECTED', {
        expected: 'the other coordinator to answer',
        got: 'a fault inside it',
        remedy: 'Try again; its log has the details.',
      })
  return { error: known.toJSON() }
}

function unreachable(to: string): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `an answer of coordinator ${to}`,
    got: 'no answer',
    remedy: 'Try again: another one takes its runs over if it has died.',
  })
}
