import type { FedsvdError } from '@fedsvd/core/errors'
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

/**
 * The public moment that the next message of a conversation follows from: when a question or an answer came, or a slot
 * ended, in milliseconds of `monotonicMs`.
 */
export interface Moment {
  at: number
}

/**
 * Why a conversation is ended from outside, and where a coordinator asked for it, when that came, in milliseconds of
 * `monotonicMs`. A request under way is then cut off at a fixed time behind that.
 */
export class CutOff extends Error {
  override readonly name = 'CutOff'
  readonly at: number | undefined

  constructor(message: string, at?: number) {
    super(message)
    this.at = at
  }
}

/**
 * What a client can ask of a coordinator once it is connected. All of it survives a lost connection by waiting.
 *
 * Where a `moment` is given and answers are held back, a message leaves at a fixed time behind it, however busy the
 * process was in between (`answer-hold.ts`); the moment then becomes that of the coordinator's answer.
 */
export interface CoordinatorLink extends AsyncDisposable {
  /** Tells what the ledger holds; resolves when the coordinator has answered. */
  report(report: LedgerReport, signal?: AbortSignal, moment?: Moment): Promise<LedgerReply>
  /** Tells that a round brings no update; sent when there is a connection, not answered; resolves when it has left. */
  roundFailed(message: RoundFailed, moment?: Moment): Promise<void>
  /** Fetches a published state of known size. @throws FedsvdError FRAME_CHECKSUM, FRAME_TOO_LARGE, BLOB_NOT_FOUND */
  fetchState(sha256: string, bytes: number, signal: AbortSignal, moment?: Moment): Promise<Uint8Array>
  /** Uploads a frame until it is answered for good. @throws FedsvdError the coordinator's refusal */
  upload(update: FrameUpload, signal: AbortSignal, moment?: Moment): Promise<UploadReply>
}

export interface FrameUpload {
  readonly runId: string
  readonly round: number
  readonly uploadToken: string
  readonly frame: Uint8Array
}

/**
 * What a coordinator asks of a client. `at` is when it came, in milliseconds of `monotonicMs`, where that is known
 * apart from when it is handled.
 */
export interface LinkHandlers {
  /** Over WebSocket, or by long polling where that is blocked. */
  onConnected(transport: 'websocket' | 'polling', at?: number): void
  onDisconnected(reason: string): void
  /**
   * No coordinator answers at the address, or something else does; the link goes on trying. Told once per outage and
   * cause.
   */
  onUnreachable(error?: FedsvdError): void
  /** The connection can never succeed, such as a revoked key. */
  onRefused(error: Error, at?: number): void
  onOffer(offer: Offer, at?: number): Promise<OfferReply>
  onInvitation(invitation: Invitation, at?: number): Promise<InvitationReply>
  onRoundClosed(message: RoundClosed, at?: number): void
  onRunPaused(message: RunPaused, at?: number): void
  onRunEnded(message: RunEnded, at?: number): void
  /** A message that does not fit its schema was dropped. */
  onNonsense(error: Error): void
}

/** Who connects. */
export interface Caller {
  readonly clientId: string
  /** Of this process, made at random. */
  readonly instance: string
  /** The ledger as it is now, and as it was at a length that the coordinator asks for. */
  ledgerHead(at?: number): ClientHandshake['ledger'] | Promise<ClientHandshake['ledger']>
  signChallenge(clientId: string, nonce: string): string | Promise<string>
}

/** The way to a coordinator: over the network, or a loopback in tests. */
export interface Transport {
  readonly coordinator: string
  /**
   * Trades a single-use token for an identity; retries while nobody answers, until the signal aborts.
   *
   * @throws FedsvdError TOKEN_INVALID, PROTOCOL_VERSION, or COORDINATOR_UNREACHABLE for what answers in its place
   */
  enrol(request: EnrolRequest, signal: AbortSignal, onUnreachable?: (other?: FedsvdError) => void): Promise<EnrolReply>
  /** Opens a link that reconnects by itself until it is disposed. */
  open(caller: Caller, handlers: LinkHandlers): CoordinatorLink
}
