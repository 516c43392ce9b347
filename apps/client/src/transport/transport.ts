import type {
  EnrolReply,
  EnrolRequest,
  Invitation,
  InvitationReply,
  LedgerReply,
  LedgerReport,
  Offer,
  OfferReply,
  RoundClosed,
  RunEnded,
  UploadReply,
} from '@fedsvd/core/protocol'

/** What a client can ask of a coordinator once it is connected. All of it survives a lost connection by waiting. */
export interface CoordinatorLink extends Disposable {
  /** Tells what the ledger holds; resolves when the coordinator has answered. */
  report(report: LedgerReport, signal?: AbortSignal): Promise<LedgerReply>
  /** Fetches a published state of known size. */
  fetchState(sha256: string, bytes: number, signal: AbortSignal): Promise<Uint8Array>
  /** Uploads a frame until it is answered for good. @throws FedsvdError the coordinator's refusal */
  upload(
    update: { runId: string; round: number; uploadToken: string; frame: Uint8Array },
    signal: AbortSignal,
  ): Promise<UploadReply>
}

/** What a coordinator asks of a client. */
export interface LinkHandlers {
  onConnected(): void
  onDisconnected(reason: string): void
  /** The connection can never succeed, such as a revoked key. */
  onRefused(error: Error): void
  onOffer(offer: Offer): Promise<OfferReply>
  onInvitation(invitation: Invitation): Promise<InvitationReply>
  onRoundClosed(message: RoundClosed): void
  onRunEnded(message: RunEnded): void
}

/** Who connects. */
export interface Caller {
  readonly clientId: string
  signChallenge(clientId: string, nonce: string): string
}

/** The way to a coordinator: over the network, or a loopback in tests. */
export interface Transport {
  readonly coordinator: string
  /** Trades a single-use token for an identity; retries while nobody answers, until the signal aborts. */
  enrol(request: EnrolRequest, signal: AbortSignal): Promise<EnrolReply>
  /** Opens a link that reconnects by itself until it is disposed. */
  open(caller: Caller, handlers: LinkHandlers): CoordinatorLink
}
