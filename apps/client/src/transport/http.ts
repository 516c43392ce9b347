import { FedsvdError } from '@fedsvd/core/errors'
import { PROTOCOL_HEADER, PROTOCOL_VERSION, requireProtocol } from '@fedsvd/core/protocol'
import { backOff, type Pause, pause } from './back-off.ts'
import { certificateFault } from './tls.ts'

const LONGEST_ADDRESS = 200
/** Far more than any answer of the protocol has. */
const LONGEST_JSON = 64 * 1024

/** One HTTP request that may be sent any number of times. */
export interface RepeatableRequest<T> {
  readonly url: URL
  readonly init: RequestInit
  /** How to send it; the global `fetch` where it is absent. */
  readonly send?: typeof fetch
  /** How to wait between two tries; the time of the system where it is absent. */
  readonly pause?: Pause
  /** Reads the body of a good answer; a connection that breaks meanwhile counts as no answer. */
  read(response: Response): Promise<T>
  /** Told each time that nobody answered, or not for good. */
  onUnanswered?(): void
}

/**
 * Sends a request until it is answered for good: a missing or broken answer, 429 and 5xx pass, so they are tried again.
 *
 * @throws FedsvdError the error that the coordinator answered with, or CERTIFICATE_INVALID
 * @throws the signal's reason when it aborts
 */
export async function requestUntilAnswered<T>(request: RepeatableRequest<T>, signal: AbortSignal): Promise<T> {
  for (const wait of backOff()) {
    const answer = await requestOnce(request, signal)
    if (answer !== undefined) return answer.value
    request.onUnanswered?.()
    await (request.pause ?? pause)(wait, signal)
  }
  throw new TypeError('the waiting times never end')
}

/** Undefined when the same request may be answered later. */
async function requestOnce<T>(
  { url, init, read, send = fetch }: RepeatableRequest<T>,
  signal: AbortSignal,
): Promise<{ value: T } | undefined> {
  try {
    const response = await send(url, { ...init, signal, redirect: 'manual' })
    requireNoRedirect(url, response)
    requireSameProtocol(response)
    if (response.ok) return { value: await read(response) }
    if (response.status !== 429 && response.status < 500) throw await refusalOf(response)
    await response.body?.cancel()
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    const untrusted = certificateFault(error)
    if (untrusted !== undefined) throw untrusted
    if (error instanceof FedsvdError || !isNetworkFault(error)) throw error
    return undefined
  }
}

/**
 * A coordinator answers at its own address. What is sent to it (a token, a signature, an update) is not carried to another.
 *
 * @throws FedsvdError COORDINATOR_UNREACHABLE naming the other address
 */
export function requireNoRedirect(url: URL, { status, headers, type }: Response): void {
  if (type !== 'opaqueredirect' && (status < 300 || status >= 400)) return
  throw new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `an answer of ${url.origin} itself`,
    got: `a redirect to ${headers.get('location')?.slice(0, LONGEST_ADDRESS) ?? 'another address'}`,
    remedy: 'Nothing was sent there. If you trust that address, give it as the address of the coordinator.',
  })
}

/** A coordinator of another version is told by the header of whatever it answers. @throws FedsvdError PROTOCOL_VERSION */
export function requireSameProtocol({ headers }: Response): void {
  requireProtocol(headers.get(PROTOCOL_HEADER), 'coordinator')
}

/** `fetch` reports every fault of the network as a TypeError, and so does a body that ends early. */
function isNetworkFault(error: unknown): boolean {
  return error instanceof TypeError || error instanceof SyntaxError
}

/** The catalogue error in the body of an answer. */
export async function refusalOf(response: Response): Promise<FedsvdError> {
  const body = (await jsonBody(response).catch(() => undefined)) as { error?: unknown } | undefined
  return FedsvdError.fromJSON(body?.error ?? `HTTP status ${response.status} without an error of the catalogue`)
}

export function jsonRequest(body: unknown): RequestInit {
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
  const chunks: Uint8Array[] = []
  let received = 0
  for await (const chunk of response.body ?? []) {
    received += chunk.length
    if (received > LONGEST_JSON) {
      throw new FedsvdError('MESSAGE_INVALID', {
        expected: `an answer of at most ${LONGEST_JSON} bytes`,
        got: 'a longer one',
        remedy: 'Check the address of the coordinator.',
      })
    }
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
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
