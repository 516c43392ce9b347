import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type {
  ClientHandshake,
  EnrolReply,
  EnrolRequest,
  Invitation,
  InvitationReply,
  LedgerReply,
  LedgerReport,
  Offer,
  OfferReply,
  RoundClosed,
  RoundFailed,
  RunEnded,
  RunPaused,
  UploadReply,
} from '@fedsvd/core/protocol'
import type { TlsTrust } from '@fedsvd/engine/network'
import { type BirpcReturn, createBirpc } from 'birpc'
import type { Caller, FrameUpload } from './transport.ts'

/** What the thread of a connection is started with. */
export interface ConnectionSettings {
  readonly address: string
  readonly trust: TlsTrust
  /** How long answers are kept back, in milliseconds. */
  readonly holdMs: number
}

/** An answer of the coordinator, or how it refuses, and when that came, in milliseconds of `monotonicMs`. */
export type Answered<T> =
  | { readonly value: T; readonly at: number }
  | { readonly refusal: unknown; readonly at: number }

/** What the process asks of the thread of its connection. `call` names a call that can be cancelled. */
export interface ConnectionCalls {
  enrol(call: number, request: EnrolRequest): Promise<EnrolReply>
  open(caller: Pick<Caller, 'clientId' | 'instance'>): void
  report(call: number, report: LedgerReport, cause?: number): Promise<Answered<LedgerReply>>
  roundFailed(call: number, message: RoundFailed, cause?: number): Promise<Answered<undefined>>
  fetchState(call: number, state: { sha256: string; bytes: number }, cause?: number): Promise<Answered<Uint8Array>>
  upload(call: number, update: FrameUpload, cause?: number): Promise<Answered<UploadReply>>
  cancel(call: number, cause?: number): void
  close(): Promise<void>
}

/** What the thread of a connection asks of its process, and tells it; `at` as in `Answered`. */
export interface ClientCalls {
  enrolUnanswered(call: number, other?: FedsvdError): void
  connected(transport: 'websocket' | 'polling', at: number): void
  disconnected(reason: string): void
  unreachable(error?: FedsvdError): void
  refused(error: Error, at: number): void
  offer(offer: Offer, at: number): Promise<OfferReply>
  invitation(invitation: Invitation, at: number): Promise<InvitationReply>
  roundClosed(message: RoundClosed, at: number): void
  runPaused(message: RunPaused, at: number): void
  runEnded(message: RunEnded, at: number): void
  nonsense(error: Error): void
  ledgerHead(at?: number): ClientHandshake['ledger']
  signChallenge(clientId: string, nonce: string): string
}

/** One end of the channel between a process and the thread of its connection. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void
  on(event: 'message', listener: (message: unknown) => void): unknown
}

/** Calls over a port, in their order; they have no limit of time, and errors of the catalogue stay what they are. */
export function callsOver<Remote extends object, Local extends object>(
  port: Port,
  functions: Local,
): BirpcReturn<Remote, Local> {
  return createBirpc<Remote, Local>(functions, {
    post: (message: unknown) => port.postMessage(message, wholeBuffers(message)),
    on: (listener) => void port.on('message', listener),
    serialize: (message: Message) => mapErrors(message, toPlain),
    deserialize: (message: Message) => mapErrors(message, fromPlain),
    timeout: -1,
  })
}

/** What goes over the port: a question with arguments, or a result or an error. */
interface Message {
  readonly a?: readonly unknown[]
  readonly r?: unknown
  readonly e?: unknown
}

/** A large answer is handed over, not copied; arguments stay with the caller. */
function wholeBuffers(message: unknown): readonly ArrayBuffer[] {
  const { value } = ((message as Message).r ?? {}) as { value?: unknown }
  const isWhole = value instanceof Uint8Array && value.byteLength === value.buffer.byteLength
  return isWhole && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
}

function mapErrors(message: Message, change: (value: unknown) => unknown): Message {
  return {
    ...message,
    ...(message.a && { a: message.a.map(change) }),
    ...(message.e !== undefined && { e: change(message.e) }),
  }
}

const CATALOGUED = 'an error of the catalogue'

/** Structured clones lose the class of an error. */
export function toPlain(value: unknown): unknown {
  return isFedsvdError(value) ? { [CATALOGUED]: value.toJSON() } : value
}

export function fromPlain(value: unknown): unknown {
  const isPlain = typeof value === 'object' && value !== null && CATALOGUED in value
  return isPlain ? FedsvdError.fromJSON(value[CATALOGUED]) : value
}
