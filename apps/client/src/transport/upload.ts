import { parseMessage, type UploadReply, uploadReplySchema } from '@fedsvd/core/protocol'
import { sha256Hex } from '../ledger/index.ts'
import { endpoint } from './address.ts'
import { backOff, pause as systemPause } from './back-off.ts'
import { attempt, bearer, jsonBody, jsonRequest, type Outcome, type Patience } from './http.ts'
import type { Route } from './route.ts'
import type { FrameUpload } from './transport.ts'

/** Half of what the usual proxy takes (1 MB). */
const PART_BYTES = 512 * 1024
const LEAST_PART_BYTES = 64 * 1024
/** The most that the coordinator joins. */
const MOST_PARTS = 4096

/** Refusals that are about a part, and not about the frame: it is not there any more, or was damaged on its way. */
const OF_A_PART: readonly string[] = ['BLOB_NOT_FOUND', 'FRAME_CHECKSUM']
const TOO_LARGE = 413

/**
 * Uploads a frame until the coordinator has answered for good: whole at first, and in parts once that did not get
 * through, as proxies limit the size of a body. Parts of a size that is too large still are halved.
 *
 * @throws FedsvdError the coordinator's refusal, or CERTIFICATE_INVALID
 * @throws the signal's reason when it aborts
 */
export async function uploadFrame(
  route: Route,
  { runId, round, uploadToken, frame }: FrameUpload,
  signal: AbortSignal,
  { pause = systemPause, onUnanswered }: Patience,
): Promise<UploadReply> {
  const url = endpoint(route.coordinator, `/v1/runs/${runId}/rounds/${round}/update`)
  const headers = bearer(uploadToken)
  const send = new FrameSender(route, url, headers, frame, signal)
  const least = Math.max(LEAST_PART_BYTES, Math.ceil(frame.length / MOST_PARTS))
  let partBytes = Number.POSITIVE_INFINITY
  for (const wait of backOff()) {
    const isWhole = partBytes >= frame.length
    const outcome = isWhole ? await send.whole() : await send.inParts(partBytes)
    if ('value' in outcome) return outcome.value
    if ('refusal' in outcome && outcome.by === 'coordinator' && !outcome.passes) {
      if (isWhole || !OF_A_PART.includes(outcome.refusal.code)) throw outcome.refusal
      send.forget()
    }
    const smaller = Math.max(least, isWhole ? PART_BYTES : Math.floor(partBytes / 2))
    const isTooLarge = outcome.by === 'other' && outcome.status === TOO_LARGE
    const triesSmaller =
      smaller < Math.min(partBytes, frame.length) && (isTooLarge || (isWhole && outcome.by !== 'coordinator'))
    if (triesSmaller) partBytes = smaller
    if (triesSmaller && isTooLarge) continue // at once: nothing is in the way but the size
    onUnanswered?.(outcome.by === 'other' ? outcome.refusal : undefined)
    await pause(wait, signal)
  }
  throw new TypeError('the waiting times never end')
}

/** Sends one frame in the ways that there are, and remembers which parts have arrived. */
class FrameSender {
  readonly #route: Route
  readonly #url: URL
  readonly #headers: { readonly authorization: string }
  readonly #frame: Uint8Array
  readonly #signal: AbortSignal
  readonly #arrived = new Set<string>()

  constructor(
    route: Route,
    url: URL,
    headers: { readonly authorization: string },
    frame: Uint8Array,
    signal: AbortSignal,
  ) {
    this.#route = route
    this.#url = url
    this.#headers = headers
    this.#frame = frame
    this.#signal = signal
  }

  async whole(): Promise<Outcome<UploadReply>> {
    return await this.#put(this.#url, this.#frame, readReply)
  }

  /** What an outcome but a good one says is that of the part at which it stopped. */
  async inParts(partBytes: number): Promise<Outcome<UploadReply>> {
    const parts: string[] = []
    for (let from = 0; from < this.#frame.length; from += partBytes) {
      const part = this.#frame.subarray(from, from + partBytes)
      const sha256 = sha256Hex(part)
      parts.push(sha256)
      if (this.#arrived.has(sha256)) continue
      const outcome = await this.#put(new URL(`${this.#url.href}/parts/${sha256}`), part, jsonBody)
      if (!('value' in outcome)) return outcome
      this.#arrived.add(sha256)
    }
    const { headers, ...init } = jsonRequest({ parts })
    const join = { url: this.#url, init: { ...init, headers: { ...headers, ...this.#headers } }, read: readReply }
    return await attempt(this.#route, join, this.#signal)
  }

  /** The coordinator does not have them any more. */
  forget(): void {
    this.#arrived.clear()
  }

  async #put<T>(url: URL, body: Uint8Array, read: (response: Response) => Promise<T>): Promise<Outcome<T>> {
    const headers = { ...this.#headers, 'content-type': 'application/octet-stream' }
    return await attempt(this.#route, { url, init: { method: 'PUT', headers, body }, read }, this.#signal)
  }
}

async function readReply(response: Response): Promise<UploadReply> {
  return parseMessage(uploadReplySchema, await jsonBody(response), 'an answer to an upload')
}
