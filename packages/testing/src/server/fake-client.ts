import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { FedsvdError } from '@fedsvd/core/errors'
import { canonicalSchema, trainedSpecs } from '@fedsvd/core/lora'
import {
  type ClientToServerEvents,
  encodeFrame,
  type Invitation,
  type InvitationReply,
  type LedgerReply,
  type LedgerReport,
  type OfferReply,
  PROTOCOL_VERSION,
  type PrivacyTerms,
  type RunEnded,
  type RunManifest,
  type ServerToClientEvents,
  sessionChallengeText,
  tensorsOfUpdate,
  type UploadReply,
} from '@fedsvd/core/protocol'
import { type NamedTensor, sizeOf } from '@fedsvd/core/tensor'
import { io, type Socket } from 'socket.io-client'

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest()
export const hexSha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export interface Identity {
  readonly clientId: string
  readonly key: KeyObject
}

/** What a test decides about a client; the rest follows the protocol. */
export interface FakeClientOptions {
  readonly terms?: Partial<PrivacyTerms>
  readonly onOffer?: (manifest: RunManifest, accept: OfferReply) => OfferReply | Promise<OfferReply>
  readonly onInvite?: (invitation: Invitation) => InvitationReply | Promise<InvitationReply>
  /** Called instead of training; the default trains and uploads. */
  readonly train?: (client: FakeClient, invitation: Invitation) => Promise<void>
  /** What it says of its norms where the clip norm adapts. */
  readonly shareUnderClip?: number
  /** What it says that it counted in a round; default: no counts. */
  readonly evaluation?: (round: number) => Float32Array | undefined
  readonly transports?: ('websocket' | 'polling')[]
}

/** A client that follows the protocol and sends made-up deltas: for each (run, round) the same bytes. */
export class FakeClient {
  readonly identity: Identity
  readonly invitations: Invitation[] = []
  readonly closed: { runId: string; round: number }[] = []
  readonly paused: string[] = []
  readonly ended: RunEnded[] = []
  readonly uploads: { round: number; reply: UploadReply }[] = []
  readonly errors: unknown[] = []
  readonly manifests = new Map<string, RunManifest>()
  sessionToken = ''
  socket: Socket<ServerToClientEvents, ClientToServerEvents> | undefined
  #url: string
  readonly #options: FakeClientOptions

  constructor(url: string, identity: Identity, options: FakeClientOptions = {}) {
    this.#url = url
    this.identity = identity
    this.#options = options
  }

  static async enrol(url: string, token: string, name: string, options: FakeClientOptions = {}): Promise<FakeClient> {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const { x } = publicKey.export({ format: 'jwk' })
    const { clientId } = await post<{ clientId: string }>(url, '/v1/enrol', {
      protocolVersion: PROTOCOL_VERSION,
      token,
      name,
      publicKey: x,
    })
    return new FakeClient(url, { clientId, key: privateKey }, options)
  }

  get clientId(): string {
    return this.identity.clientId
  }

  /** The same identity at another address, as after a restart of the coordinator. */
  moveTo(url: string): void {
    this.#url = url
  }

  async handshake(): Promise<{ protocolVersion: number; clientId: string; nonce: string; signature: string }> {
    const { clientId, key } = this.identity
    const { nonce } = await post<{ nonce: string }>(this.#url, '/v1/challenge', { clientId })
    const signature = sign(null, Buffer.from(sessionChallengeText(clientId, nonce)), key).toString('base64url')
    return { protocolVersion: PROTOCOL_VERSION, clientId, nonce, signature }
  }

  /** Connects and resolves with the session; rejects with the catalogue error of a refusal. */
  async connect(auth?: object): Promise<void> {
    const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(`${this.#url}/client`, {
      auth: auth ?? (await this.handshake()),
      forceNew: true,
      reconnection: false,
      transports: this.#options.transports ?? ['websocket'],
    })
    this.socket = socket
    socket.on('offer', ({ manifest }, reply) => {
      this.manifests.set(manifest.runId, manifest)
      const accept: OfferReply = { accepted: true, terms: this.termsFor(manifest) }
      void Promise.resolve(this.#options.onOffer?.(manifest, accept) ?? accept).then(reply)
    })
    socket.on('invite', (invitation, reply) => {
      this.invitations.push(invitation)
      void Promise.resolve(this.#options.onInvite?.(invitation) ?? { accepted: true as const }).then(async (answer) => {
        reply(answer)
        if (!answer.accepted) return
        const train = this.#options.train ?? trainAndUpload
        await train(this, invitation).catch((error: unknown) => this.errors.push(error))
      })
    })
    socket.on('round-closed', (message) => this.closed.push(message))
    socket.on('run-paused', ({ runId }) => this.paused.push(runId))
    socket.on('run-ended', (message) => this.ended.push(message))
    await new Promise<void>((resolve, reject) => {
      socket.once('session', ({ sessionToken }) => {
        this.sessionToken = sessionToken
        resolve()
      })
      socket.once('disconnect', (reason) => reject(new Error(`disconnected before the session began: ${reason}`)))
      socket.once('connect_error', (error: Error & { data?: unknown }) =>
        reject(error.data === undefined ? error : FedsvdError.fromJSON(error.data)),
      )
    })
  }

  disconnect(): void {
    this.socket?.disconnect()
  }

  termsFor(manifest: RunManifest): PrivacyTerms {
    const declaredRecords = this.#options.terms?.declaredRecords ?? 100
    return {
      declaredRecords,
      sampleRate: manifest.expectedLotSize / declaredRecords,
      noiseMultiplier: 2,
      budget: manifest.target,
      ...this.#options.terms,
    }
  }

  /** A delta that is a function of the client, the run and the round. */
  delta(runId: string, round: number): readonly NamedTensor[] {
    const { adapter } = this.manifests.get(runId)!
    return trainedSpecs(adapter).map(({ name, shape }) => ({
      name,
      shape,
      data: Float32Array.from({ length: sizeOf(shape) }, (_, element) => {
        const digest = sha256(Buffer.from(`${this.clientId}/${runId}/${round}/${name}/${element}`))
        return ((digest[0]! << 8) + digest[1]!) / 65536 / 10 - 0.05
      }),
    }))
  }

  frame(
    invitation: Invitation,
    changes: { tensors?: readonly NamedTensor[]; clientId?: string; round?: number } = {},
  ): Uint8Array {
    const { runId, round, basis } = invitation
    const { adapter } = this.manifests.get(runId)!
    const schemaHash = hexSha256(Buffer.from(canonicalSchema(adapter)))
    const tensors = changes.tensors ?? this.delta(runId, round)
    const frame = {
      kind: 'update' as const,
      round,
      basis,
      runId,
      clientId: this.clientId,
      schemaHash,
      tensors,
      ...changes,
    }
    const manifest = this.manifests.get(runId)!
    const shareUnderClip = manifest.adaptiveClipping && (this.#options.shareUnderClip ?? 0.5)
    const evaluation = this.#options.evaluation?.(round)
    const content = tensorsOfUpdate(manifest, { tensors, shareUnderClip, evaluation })
    return encodeFrame({ ...frame, tensors: content }, sha256)
  }

  report(report: LedgerReport): Promise<LedgerReply> {
    return this.socket!.timeout(30_000).emitWithAck('ledger-report', report)
  }

  async upload(
    invitation: Invitation,
    bytes = this.frame(invitation),
    token = invitation.uploadToken,
  ): Promise<UploadReply> {
    const { runId, round } = invitation
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' }
    const url = `${this.#url}/v1/runs/${runId}/rounds/${round}/update`
    const reply = await fetch(url, { method: 'PUT', body: bytes, headers })
    return await readReply<UploadReply>(reply)
  }

  async download(sha: string): Promise<Uint8Array> {
    const reply = await fetch(`${this.#url}/v1/blobs/${sha}`, {
      headers: { authorization: `Bearer ${this.sessionToken}` },
    })
    if (!reply.ok) return await readReply(reply)
    return new Uint8Array(await reply.arrayBuffer())
  }
}

/** The honest way: fetch the state, report the reservation, upload. */
export async function trainAndUpload(client: FakeClient, invitation: Invitation): Promise<void> {
  const { runId, round, state } = invitation
  await client.download(state.sha256)
  const manifest = client.manifests.get(runId)!
  const { sampleRate, noiseMultiplier } = client.termsFor(manifest)
  const event = {
    mechanism: 'poisson-subsampled-gaussian' as const,
    sampleRate,
    noiseMultiplier,
    steps: manifest.localSteps,
    clipNorm: manifest.clipNorm,
    relation: 'add-or-remove-one' as const,
    unit: 'record' as const,
  }
  await client.report({ runId, since: round, reservations: [{ round, attempt: 1, event }] })
  client.uploads.push({ round, reply: await client.upload(invitation) })
}

/** Clients with an identity of their own, not connected yet. */
export async function enrolClients(
  url: string,
  operatorToken: string,
  count: number,
  options: FakeClientOptions = {},
): Promise<FakeClient[]> {
  const request = { count, expiresInSeconds: 60 }
  const { tokens } = await post<{ tokens: string[] }>(url, '/v1/enrolment-tokens', request, operatorToken)
  return await Promise.all(tokens.map((token, index) => FakeClient.enrol(url, token, `site ${index}`, options)))
}

export async function post<T>(url: string, path: string, body: unknown, token?: string): Promise<T> {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
  return await readReply<T>(await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }))
}

export async function get<T>(url: string, path: string, token?: string): Promise<T> {
  return await readReply<T>(
    await fetch(`${url}${path}`, { headers: token ? { authorization: `Bearer ${token}` } : {} }),
  )
}

async function readReply<T>(reply: Response): Promise<T> {
  const body = (await reply.json()) as T & { error?: unknown }
  if (!reply.ok) throw FedsvdError.fromJSON(body.error)
  return body
}
