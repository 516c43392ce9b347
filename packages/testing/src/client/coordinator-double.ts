import { createHash, createPublicKey, randomUUID, verify } from 'node:crypto'
import { AwaitableValue } from '@fedsvd/client/platform'
import { FedsvdError } from '@fedsvd/core/errors'
import { canonicalSchema, initialState, tensorsOfState } from '@fedsvd/core/lora'
import {
  type ClientHandshake,
  challengeRequestSchema,
  clientHandshakeSchema,
  decodeFrame,
  type EnrolReply,
  encodeFrame,
  enrolRequestSchema,
  type Frame,
  type Invitation,
  type InvitationReply,
  type LedgerReply,
  type LedgerReport,
  ledgerReportSchema,
  NO_CLIENT,
  type OfferReply,
  parseMessage,
  type RoundClosed,
  type RunEnded,
  type RunManifest,
  type RunPaused,
  roundFailedSchema,
  sessionChallengeText,
  type UploadReply,
  updateSpecs,
} from '@fedsvd/core/protocol'

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
const hex = (bytes: Uint8Array): string => Buffer.from(sha256(bytes)).toString('hex')

/** A connected client, as the coordinator speaks to it. */
export interface Peer {
  readonly clientId: string
  offer(manifest: RunManifest): Promise<OfferReply>
  invite(invitation: Invitation): Promise<InvitationReply>
  roundClosed(message: RoundClosed): void
  runPaused(message: RunPaused): void
  runEnded(message: RunEnded): void
  drop(): void
}

/** Something that a client sent. */
export interface Sent {
  readonly kind:
    | 'enrol'
    | 'challenge'
    | 'handshake'
    | 'ledger-report'
    | 'ledger-report-part'
    | 'round-failed'
    | 'blob'
    | 'upload'
    | 'offer-reply'
    | 'invite-reply'
  readonly message: unknown
}

/**
 * The smallest coordinator that keeps the protocol: it enrols, authenticates, publishes a state, takes updates and
 * remembers all that it was sent. It selects no clients and aggregates nothing; a test does that. The transport is a
 * part of its own.
 */
export class CoordinatorDouble {
  readonly sent: Sent[] = []
  readonly reports: LedgerReport[] = []
  /** Every different frame that came for a round, by `run/round`. */
  readonly frames = new Map<string, Uint8Array[]>()
  readonly enrolmentTokens = new Set(['token'])
  readonly #keys = new Map<string, string>()
  readonly #nonces = new Set<string>()
  readonly #blobs = new Map<string, Uint8Array>()
  readonly #peer = new AwaitableValue<Peer>()
  readonly #uploads = new AwaitableValue<string>()
  readonly #arrivals = new AwaitableValue<Sent>()
  #uploadToken = 'upload-1'
  sessionToken = 'session-1'
  /** What a test may change. */
  answerReport: (report: LedgerReport) => LedgerReply = () => ({ agrees: true })
  refuseUpload: (round: number) => FedsvdError | undefined = () => undefined

  // --- what a test does
  // ------------------------------------------------------------------------------------------------

  /** The client that is connected, now or soon. */
  peer(): Promise<Peer> {
    return this.#peer.value(AbortSignal.timeout(20_000))
  }

  /** Resolves when the client has handled everything that was sent to it before. */
  async settled(peer: Peer): Promise<void> {
    const state = { sha256: '0'.repeat(64), bytes: 1 }
    const deadline = new Date().toISOString()
    await peer.invite({ runId: NO_CLIENT, round: 0, basis: 0, state, uploadToken: 'none', deadline })
  }

  /** Resolves when `round` has an update. */
  async received(manifest: RunManifest, round: number, clientId: string): Promise<Frame> {
    const key = `${manifest.runId}/${round}`
    for (;;) {
      const frame = this.frames.get(key)?.at(-1)
      if (frame !== undefined) return this.decode(manifest, round, clientId, frame)
      this.#uploads.clear()
      await this.#uploads.value(AbortSignal.timeout(20_000))
    }
  }

  /** Resolves when `count` messages of a kind have come, with the last of them. */
  async got(kind: Sent['kind'], count = 1): Promise<unknown> {
    for (;;) {
      const found = this.sent.filter((one) => one.kind === kind)[count - 1]
      if (found !== undefined) return found.message
      this.#arrivals.clear()
      await this.#arrivals.value(AbortSignal.timeout(20_000))
    }
  }

  decode(manifest: RunManifest, round: number, clientId: string, frame: Uint8Array): Frame {
    const { runId, adapter } = manifest
    const schemaHash = hex(Buffer.from(canonicalSchema(adapter)))
    const header = { kind: 'update', round, basis: 0, runId, clientId, schemaHash } as const
    return decodeFrame(frame, { ...header, specs: updateSpecs(manifest) }, sha256)
  }

  /** Publishes the first state of a run, one of its numbers replaced where asked. @returns the invitation to a round */
  invitation(manifest: RunManifest, round: number, { oneValue }: { readonly oneValue?: number } = {}): Invitation {
    const { runId, adapter, seed } = manifest
    const tensors = tensorsOfState(initialState(adapter, { seed }))
    if (oneValue !== undefined) tensors[0]!.data[0] = oneValue
    const schemaHash = hex(Buffer.from(canonicalSchema(adapter)))
    const frame = encodeFrame(
      { kind: 'state', round: 0, basis: 0, runId, clientId: NO_CLIENT, schemaHash, tensors },
      sha256,
    )
    this.#blobs.set(hex(frame), frame)
    return {
      runId,
      round,
      basis: 0,
      state: { sha256: hex(frame), bytes: frame.length },
      uploadToken: this.#uploadToken,
      deadline: new Date(Date.now() + 3_600_000).toISOString(),
    }
  }

  /** Replaces a published state by other bytes. */
  damage(invitation: Invitation): void {
    this.#blobs.set(invitation.state.sha256, Buffer.alloc(invitation.state.bytes))
  }

  /** Puts more bytes behind a published state than were announced. */
  enlarge(invitation: Invitation, more: number): void {
    const bytes = this.#blobs.get(invitation.state.sha256)!
    this.#blobs.set(invitation.state.sha256, Buffer.concat([bytes, Buffer.alloc(more)]))
  }

  /** As after a restart that lost its secrets: older tokens are not taken any more. */
  forgetTokens(): void {
    this.#uploadToken = `upload-${randomUUID()}`
    this.sessionToken = `session-${randomUUID()}`
  }

  #note(kind: Sent['kind'], message: unknown): void {
    const sent = { kind, message }
    this.sent.push(sent)
    this.#arrivals.set(sent)
  }

  // --- what a client asks
  // ----------------------------------------------------------------------------------------------

  enrol(body: unknown): EnrolReply {
    this.#note('enrol', body)
    const { token, publicKey } = parseMessage(enrolRequestSchema, body, 'an enrolment')
    if (!this.enrolmentTokens.delete(token)) throw refusal('TOKEN_INVALID')
    const clientId = randomUUID()
    this.#keys.set(clientId, publicKey)
    return { clientId }
  }

  challenge(body: unknown): { nonce: string } {
    this.#note('challenge', body)
    parseMessage(challengeRequestSchema, body, 'a challenge')
    const nonce = randomUUID()
    this.#nonces.add(nonce)
    return { nonce }
  }

  authenticate(auth: unknown): ClientHandshake {
    this.#note('handshake', auth)
    const handshake = parseMessage(clientHandshakeSchema, auth, 'a handshake')
    const { clientId, nonce, signature } = handshake
    const x = this.#keys.get(clientId)
    if (!this.#nonces.delete(nonce)) throw refusal('TOKEN_INVALID')
    if (x === undefined) throw refusal('SIGNATURE_INVALID')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    const text = Buffer.from(sessionChallengeText(clientId, nonce))
    if (!verify(null, text, key, Buffer.from(signature, 'base64url'))) throw refusal('SIGNATURE_INVALID')
    return handshake
  }

  arrived(peer: Peer): void {
    const noted = async <T>(kind: Sent['kind'], reply: Promise<T>): Promise<T> => {
      const message = await reply
      this.#note(kind, message)
      return message
    }
    this.#peer.set({
      ...peer,
      offer: (manifest) => noted('offer-reply', peer.offer(manifest)),
      invite: (invitation) => noted('invite-reply', peer.invite(invitation)),
    })
  }

  left(): void {
    this.#peer.clear()
  }

  report(message: unknown): LedgerReply {
    this.#note('ledger-report', message)
    const report = parseMessage(ledgerReportSchema, message, 'a ledger report')
    this.reports.push(report)
    return this.answerReport(report)
  }

  roundFailed(message: unknown): void {
    this.#note('round-failed', parseMessage(roundFailedSchema, message, 'a failed round'))
  }

  blob(sha: string, token: string | undefined): Uint8Array {
    this.#note('blob', sha)
    if (token !== this.sessionToken) throw refusal('TOKEN_INVALID')
    const bytes = this.#blobs.get(sha)
    if (bytes === undefined) throw refusal('BLOB_NOT_FOUND')
    return bytes
  }

  upload(runId: string, round: number, token: string | undefined, frame: Uint8Array): UploadReply {
    this.#note('upload', frame)
    if (token !== this.#uploadToken) throw refusal('TOKEN_INVALID')
    const refused = this.refuseUpload(round)
    if (refused !== undefined) throw refused
    const key = `${runId}/${round}`
    const known = this.frames.get(key) ?? []
    const status = known.some((other) => Buffer.compare(other, frame) === 0) ? 'duplicate' : 'accepted'
    if (status === 'accepted') this.frames.set(key, [...known, frame])
    this.#uploads.set(key)
    return { status, sha256: hex(frame) }
  }
}

export function refusal(code: ConstructorParameters<typeof FedsvdError>[0]): FedsvdError {
  return new FedsvdError(code, { expected: 'something else', got: 'this', remedy: 'Do otherwise.' })
}
