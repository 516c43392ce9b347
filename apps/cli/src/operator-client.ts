import { certificateFault, fetchWith, type TlsTrust } from '@fedsvd/client'
import { FedsvdError } from '@fedsvd/core/errors'
import {
  type AuditEntry,
  auditPageSchema,
  type OperatorEvents,
  type OperatorRequest,
  type OperatorView,
  operatorSchema,
  parseMessage,
  type RunRequest,
  type RunSnapshot,
  runSnapshotSchema,
  sessionInfoSchema,
} from '@fedsvd/core/protocol'
import { io, type Socket } from 'socket.io-client'
import { z } from 'zod'

/** How an operator reaches a coordinator: its address, a token, and what a TLS connection is made with. */
export interface OperatorAccess {
  readonly url: string
  readonly token: string
  readonly trust?: TlsTrust
}

export async function createEnrolmentTokens(access: OperatorAccess, count: number): Promise<string[]> {
  const reply = await request(access, 'POST', '/v1/enrolment-tokens', { count, expiresInSeconds: 3600 })
  return parseMessage(z.strictObject({ tokens: z.array(z.string()) }), await reply.json(), 'enrolment tokens').tokens
}

export async function createRun(access: OperatorAccess, run: RunRequest): Promise<string> {
  const reply = await request(access, 'POST', '/v1/runs', run)
  return parseMessage(z.object({ runId: z.uuid() }), await reply.json(), 'a new run').runId
}

export async function fetchRun(access: OperatorAccess, runId: string): Promise<RunSnapshot> {
  const reply = await request(access, 'GET', `/v1/runs/${encodeURIComponent(runId)}`)
  return parseMessage(runSnapshotSchema, await reply.json(), 'a run snapshot')
}

/** The newest published state of a run, as its `state` frame. */
export async function fetchAdapterFrame(access: OperatorAccess, runId: string): Promise<Uint8Array> {
  const reply = await request(access, 'GET', `/v1/runs/${encodeURIComponent(runId)}/adapter`)
  return new Uint8Array(await reply.arrayBuffer())
}

export async function createOperator(access: OperatorAccess, operator: OperatorRequest): Promise<OperatorView> {
  const reply = await request(access, 'POST', '/v1/operators', operator)
  return parseMessage(operatorSchema, await reply.json(), 'an operator')
}

export async function fetchOperators(access: OperatorAccess): Promise<OperatorView[]> {
  const reply = await request(access, 'GET', '/v1/operators')
  return parseMessage(z.strictObject({ operators: z.array(operatorSchema) }), await reply.json(), 'operators').operators
}

export async function disableOperator(access: OperatorAccess, operatorId: string): Promise<OperatorView> {
  const reply = await request(access, 'POST', `/v1/operators/${encodeURIComponent(operatorId)}/disable`)
  return parseMessage(operatorSchema, await reply.json(), 'an operator')
}

/** A session as a bearer token. @throws FedsvdError SIGN_IN_REFUSED */
export async function signIn(access: Omit<OperatorAccess, 'token'>, name: string, secret: string) {
  const reply = await request(access, 'POST', '/v1/session', { name, secret, as: 'token' })
  return parseMessage(sessionInfoSchema.required({ token: true }), await reply.json(), 'a session')
}

/** The entries of the audit log that come after `seq`, oldest first. */
export async function fetchAuditLog(access: OperatorAccess, seq: number, limit: number): Promise<AuditEntry[]> {
  const reply = await request(access, 'GET', `/v1/audit-log?after=${seq}&limit=${limit}`)
  return parseMessage(auditPageSchema, await reply.json(), 'a page of the audit log').entries
}

/** Calls `onSnapshot` with every change of every run until closed. Reconnects by itself. */
export function watchRuns(
  { url, token, trust }: OperatorAccess,
  onSnapshot: (snapshot: RunSnapshot) => void,
): Disposable {
  const socket: Socket<OperatorEvents> = io(`${url}/operator`, { auth: { token }, ...trust, transports: ['websocket'] })
  socket.on('run', (snapshot) => onSnapshot(parseMessage(runSnapshotSchema, snapshot, 'a run snapshot')))
  return { [Symbol.dispose]: () => socket.disconnect() }
}

async function request(
  { url, token, trust = {} }: Omit<OperatorAccess, 'token'> & { readonly token?: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  const reply = await fetchWith(trust)(new URL(path, url), {
    method,
    redirect: 'manual', // what the request carries is for this coordinator alone
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    const untrusted = certificateFault(cause)
    if (untrusted !== undefined) throw untrusted
    throw new FedsvdError(
      'COORDINATOR_UNREACHABLE',
      {
        expected: `a coordinator at ${url}`,
        got: 'no answer',
        remedy:
          'Check the address, that `fedsvd serve` runs there, and whether it asks for a certificate (--cert, --key)',
      },
      { cause },
    )
  })
  if (reply.status >= 300 && reply.status < 400) throw redirected(url, reply.headers.get('location'))
  if (!reply.ok) throw FedsvdError.fromJSON(((await reply.json().catch(() => ({}))) as { error?: unknown }).error)
  return reply
}

function redirected(url: string, location: string | null): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `an answer of the coordinator at ${url}`,
    got: `a redirect to ${location ?? 'nowhere'}, which was not followed: the token is for this coordinator alone`,
    remedy: 'Check the address; if the coordinator has moved, name the new one.',
  })
}
