import { FedsvdError } from '@fedsvd/core/errors'
import { BASE_PATH } from '../base-path.ts'

/**
 * What proves who asks: the cookie does so by itself, together with its CSRF token; the operator token stays in memory.
 */
export interface Proof {
  readonly csrfToken?: string | undefined
  readonly bearer?: string | undefined
}

let proof: Proof = {}
let onRefused: () => void = () => {}

export function setProof(next: Proof): void {
  proof = next
}

export function currentProof(): Proof {
  return proof
}

/** Called whenever the coordinator no longer knows who asks. */
export function whenRefused(listener: () => void): void {
  onRefused = listener
}

/**
 * One request to the coordinator.
 *
 * @throws FedsvdError what the coordinator said, or COORDINATOR_UNREACHABLE
 */
export async function request<T>(route: string, body?: unknown): Promise<T> {
  const [method, path] = route.split(' ') as [string, string]
  const { csrfToken, bearer } = proof
  const headers = new Headers()
  if (body !== undefined) headers.set('content-type', 'application/json')
  if (csrfToken !== undefined && method !== 'GET') headers.set('x-csrf-token', csrfToken)
  if (bearer !== undefined) headers.set('authorization', `Bearer ${bearer}`)
  const content = body === undefined ? {} : { body: JSON.stringify(body) }
  // What the request carries is for this coordinator alone.
  const reply = await fetch(BASE_PATH + path, { method, headers, redirect: 'manual', ...content }).catch(
    (error: unknown) => Promise.reject(unreachable(error instanceof Error ? error.message : String(error))),
  )
  if (reply.type === 'opaqueredirect') throw unreachable('a redirect to another address, such as a login page')
  if (reply.status === 204) return undefined as T
  const answer = (await reply.json().catch(() => undefined)) as { error?: unknown } | undefined
  if (reply.ok && answer !== undefined) return answer as T
  if (answer?.error === undefined) throw unreachable(`status ${reply.status} without an answer of the coordinator`)
  const error = FedsvdError.fromJSON(answer.error)
  if (error.code === 'TOKEN_INVALID') onRefused()
  throw error
}

function unreachable(got: string): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: 'an answer of the coordinator',
    got,
    remedy: 'The page tries again by itself.',
  })
}
