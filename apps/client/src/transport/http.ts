import { FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import { PROTOCOL_HEADER, PROTOCOL_VERSION, requireProtocol } from '@fedsvd/core/protocol'
import { backOff, type Pause, pause as systemPause } from './back-off.ts'
import { answerInError, type ForeignAnswer, foreignAnswer, isPassingStatus } from './foreign-answer.ts'
import type { Route } from './route.ts'
import { certificateFault } from './tls.ts'

/** Far more than any answer of the protocol has. */
const LONGEST_JSON = 64 * 1024

/** One HTTP request, and what is read from a good answer; a connection that breaks meanwhile counts as no answer. */
export interface Request<T> {
  readonly url: URL
  readonly init?: Omit<RequestInit, 'body'> & { readonly body?: string | Uint8Array }
  /** @throws SyntaxError for a body that no coordinator sends */
  read(response: Response): Promise<T>
  /** The type of a good answer is that of a web page: what it is, `read` tells. */
  readonly isTypedAsPage?: boolean
}

/** How a request came out. */
export type Outcome<T> =
  | { readonly by: 'coordinator'; readonly value: T }
  /** Refused; `passes` where the same request may succeed later. */
  | { readonly by: 'coordinator'; readonly refusal: FedsvdError; readonly passes: boolean }
  /** Answered by something on the way. */
  | { readonly by: 'other'; readonly refusal: FedsvdError; readonly passes: boolean; readonly status: number }
  | { readonly by: 'nobody'; readonly cause: Error }

/** How long a request goes on. */
export interface Patience {
  /** How to wait between two tries; the time of the system where it is absent. */
  readonly pause?: Pause
  /** Waits for the coordinator too while something else answers in its place for good, such as a login page. */
  readonly outlastsOthers?: boolean
  /** Told each time that the coordinator did not answer, with what answered in its place, if anything did. */
  onUnanswered?(other: FedsvdError | undefined): void
}

/**
 * Sends a request until the coordinator has answered for good: a missing or broken answer, 429 and 5xx pass, so they
 * are tried again.
 *
 * @throws FedsvdError the error that the coordinator answered with, CERTIFICATE_INVALID, or COORDINATOR_UNREACHABLE for
 *   what answers in its place
 * @throws the signal's reason when it aborts
 */
export async function requestUntilAnswered<T>(
  route: Route,
  request: Request<T>,
  signal: AbortSignal,
  { pause = systemPause, outlastsOthers = false, onUnanswered }: Patience = {},
): Promise<T> {
  for (const wait of backOff()) {
    const outcome = await attempt(route, request, signal)
    if ('value' in outcome) return outcome.value
    if ('refusal' in outcome && !outcome.passes && !(outlastsOthers && outcome.by === 'other')) throw outcome.refusal
    onUnanswered?.(outcome.by === 'other' ? outcome.refusal : undefined)
    await pause(wait, signal)
  }
  throw new TypeError('the waiting times never end')
}

/**
 * Sends a request once.
 *
 * @throws FedsvdError what the coordinator, or what answers in its place, says; CERTIFICATE_INVALID
 * @throws TypeError when nobody answers
 */
export async function request<T>(route: Route, what: Request<T>, signal?: AbortSignal): Promise<T> {
  const outcome = await attempt(route, what, signal)
  if ('value' in outcome) return outcome.value
  throw 'refusal' in outcome ? outcome.refusal : outcome.cause
}

/** Sends a request once, and says who answered. @throws FedsvdError CERTIFICATE_INVALID, or what `read` throws */
export async function attempt<T>(
  route: Route,
  { url, init, read, isTypedAsPage = false }: Request<T>,
  signal: AbortSignal | undefined,
): Promise<Outcome<T>> {
  try {
    const response = await route.send(url, {
      ...(init as RequestInit),
      ...(signal && { signal }),
      redirect: 'manual',
    })
    requireProtocol(response.headers.get(PROTOCOL_HEADER), 'coordinator') // of whatever it answers
    if (response.ok && (isTypedAsPage || !isHtml(response))) return { by: 'coordinator', value: await read(response) }
    const refusal = await refusalIn(response)
    if (refusal !== undefined) return { by: 'coordinator', refusal, passes: isPassingStatus(response.status) }
    const { status, headers } = response
    return fromOther(route, { status, headers, sentBytes: Buffer.byteLength(init?.body ?? '') })
  } catch (error) {
    signal?.throwIfAborted()
    const untrusted = certificateFault(error)
    if (untrusted !== undefined) throw untrusted
    const refused = answerInError(error)
    if (refused !== undefined) return fromOther(route, refused)
    // `fetch` reports every fault of the network as a TypeError, and so does a body that ends early.
    if (error instanceof TypeError) return { by: 'nobody', cause: error }
    if (!(error instanceof SyntaxError)) throw error
    return fromOther(route, { status: 200, headers: new Headers() })
  }
}

function fromOther(route: Route, answer: ForeignAnswer) {
  const { status } = answer
  return { by: 'other', refusal: foreignAnswer(route, answer), passes: isPassingStatus(status), status } as const
}

function isHtml({ headers }: Response): boolean {
  return headers.get('content-type')?.includes('html') ?? false
}

/** The error of the catalogue in the body of an answer; undefined where something else than a coordinator sent it. */
async function refusalIn(response: Response): Promise<FedsvdError | undefined> {
  const isRedirect = response.status >= 300 && response.status < 400
  if (isRedirect || isHtml(response)) {
    await response.body?.cancel()
    return undefined
  }
  const body = await jsonBody(response).catch((error: unknown) => {
    if (error instanceof SyntaxError || isFedsvdError(error)) return undefined
    throw error
  })
  const { error, code, message } = (body ?? {}) as {
    error?: { code?: unknown } | null
    code?: unknown
    message?: unknown
  }
  // What Engine.IO answers for a connection that it does not have any more.
  if (typeof code === 'number' && typeof message === 'string')
    throw new TypeError(`Engine.IO: ${message.slice(0, 200)}`)
  return typeof error?.code === 'string' ? FedsvdError.fromJSON(error) : undefined
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` }
}

export function jsonRequest(body: unknown) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', [PROTOCOL_HEADER]: String(PROTOCOL_VERSION) },
    body: JSON.stringify(body),
  }
}

/**
 * The JSON of an answer, of which no more is taken than any answer of the protocol needs.
 *
 * @throws FedsvdError MESSAGE_INVALID for a longer one
 * @throws SyntaxError for one that is no JSON
 */
export async function jsonBody(response: Response): Promise<unknown> {
  return JSON.parse(await textBody(response, LONGEST_JSON)) as unknown
}

/**
 * The text of an answer, of which no more is taken than `most` bytes. @throws FedsvdError MESSAGE_INVALID for a longer
 * one
 */
export async function textBody(response: Response, most: number): Promise<string> {
  return (await boundedBody(response, most)).toString('utf8')
}

/** The bytes of an answer, as {@link textBody}. */
export async function boundedBody(response: Response, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let received = 0
  for await (const chunk of response.body ?? []) {
    received += chunk.length
    if (received > most) {
      throw new FedsvdError('MESSAGE_INVALID', {
        expected: `an answer of at most ${most} bytes`,
        got: `an answer of at least ${received} bytes`,
        remedy: 'Check the address of the coordinator.',
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** A body that must have this size and hash. @throws FedsvdError FRAME_TOO_LARGE, FRAME_CHECKSUM */
export async function verifiedBody(
  response: Response,
  { sha256, bytes, hash }: { sha256: string; bytes: number; hash(body: Uint8Array): string },
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let received = 0
  for await (const chunk of response.body ?? []) {
    received += chunk.length
    if (received > bytes) throw otherState('FRAME_TOO_LARGE', `${bytes} bytes of state ${sha256}`, 'more')
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks)
  if (hash(body) === sha256) return body
  throw otherState('FRAME_CHECKSUM', `a state of hash ${sha256}`, `${received} other bytes`)
}

function otherState(code: 'FRAME_TOO_LARGE' | 'FRAME_CHECKSUM', expected: string, got: string): FedsvdError {
  return new FedsvdError(code, {
    expected,
    got,
    remedy: 'Nothing was trained. Ask who runs the coordinator to check its storage.',
  })
}
