import { setTimeout as delay } from 'node:timers/promises'
import { FedsvdError } from '@fedsvd/core/errors'

const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 15_000

/** Waiting times that double up to 15 s, each with full jitter, so that many clients do not return in step. */
export function* backOff(random: () => number = Math.random): Generator<number> {
  for (let ceiling = FIRST_WAIT_MS; ; ceiling = Math.min(2 * ceiling, LONGEST_WAIT_MS))
    yield ceiling * (0.5 + 0.5 * random())
}

/**
 * Sends a request until it is answered for good: network errors, 429 and 5xx pass, so they are tried again.
 *
 * @throws FedsvdError the error that the coordinator answered with
 * @throws the signal's reason when it aborts
 */
export async function requestUntilAnswered(url: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
  for (const wait of backOff()) {
    const response = await fetch(url, { ...init, signal }).catch((error: unknown) => {
      signal.throwIfAborted()
      if (error instanceof TypeError) return undefined // nobody answered
      throw error
    })
    if (response?.ok) return response
    if (response !== undefined && response.status !== 429 && response.status < 500) throw await refusalOf(response)
    await response?.body?.cancel()
    await delay(wait, undefined, { signal })
  }
  throw new TypeError('the waiting times never end')
}

/** The catalogue error in the body of an answer. */
export async function refusalOf(response: Response): Promise<FedsvdError> {
  const body = (await response.json().catch(() => ({}))) as { error?: unknown }
  return FedsvdError.fromJSON(body.error)
}

export function jsonRequest(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}
