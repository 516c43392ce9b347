import { boundedBody, endpoint, openSocket, request as requestOnce, routeTo, textBody } from '@fedsvd/client/transport'
import { FedsvdError } from '@fedsvd/core/errors'
import {
  type AuditEntry,
  auditPageSchema,
  isRunOver,
  type OperatorEvents,
  type OperatorRequest,
  type OperatorView,
  operatorSchema,
  parseMessage,
  type RunManifest,
  type RunRequest,
  type RunSnapshot,
  runManifestSchema,
  runSnapshotSchema,
  type SignInLinkView,
  sessionInfoSchema,
  signInLinkSchema,
} from '@fedsvd/core/protocol'
import type { TlsTrust } from '@fedsvd/engine/network'
import type { Socket } from 'socket.io-client'
import { z } from 'zod'

/**
 * The longest answer but that of a state is the snapshot of a run, with a line for each of its rounds: those of a
 * hundred thousand rounds have a third of it.
 */
const LONGEST_JSON = 64 * 2 ** 20

/** How an operator reaches a coordinator: its address, a token, and what a TLS connection is made with. */
export interface OperatorAccess {
  readonly url: string
  readonly token: string
  readonly trust?: TlsTrust
}

export async function createEnrolmentTokens(
  access: OperatorAccess,
  count: number,
  terms: { readonly expiresInSeconds?: number; readonly name?: string } = {},
): Promise<string[]> {
  const reply = await askJson(access, 'POST', '/v1/enrolment-tokens', { count, expiresInSeconds: 3600, ...terms })
  return parseMessage(z.strictObject({ tokens: z.array(z.string()) }), reply, 'enrolment tokens').tokens
}

export async function createRun(access: OperatorAccess, run: RunRequest): Promise<string> {
  return (await openRun(access, run)).runId
}

/** Opens a run. @returns its manifest */
export async function openRun(access: OperatorAccess, run: RunRequest): Promise<RunManifest> {
  return parseMessage(runManifestSchema, await askJson(access, 'POST', '/v1/runs', run), 'a new run')
}

export async function fetchRun(access: OperatorAccess, runId: string): Promise<RunSnapshot> {
  const reply = await askJson(access, 'GET', `/v1/runs/${encodeURIComponent(runId)}`)
  return parseMessage(runSnapshotSchema, reply, 'a run snapshot')
}

/**
 * A published state of a run, as its `state` frame.
 *
 * @param round after which round, counted from 0; absent: the newest
 * @param most bytes that it may have, which its schema gives
 * @throws FedsvdError MESSAGE_INVALID for a longer answer
 */
export async function fetchAdapterFrame(
  access: OperatorAccess,
  runId: string,
  most: number,
  round?: number,
): Promise<Uint8Array> {
  const read = async (response: Response) => new Uint8Array(await boundedBody(response, most))
  const which = round === undefined ? '' : `?round=${round}`
  return await send(access, 'GET', `/v1/runs/${encodeURIComponent(runId)}/adapter${which}`, { read })
}

export async function createOperator(access: OperatorAccess, operator: OperatorRequest): Promise<OperatorView> {
  const reply = await askJson(access, 'POST', '/v1/operators', operator)
  return parseMessage(operatorSchema, reply, 'an operator')
}

/** What signs an operator in once, at `#sign-in=<token>` of the dashboard. */
export async function createSignInLink(access: OperatorAccess, operatorId: string): Promise<SignInLinkView> {
  const reply = await askJson(access, 'POST', `/v1/operators/${encodeURIComponent(operatorId)}/sign-in-link`)
  return parseMessage(signInLinkSchema, reply, 'a sign-in link')
}

export async function fetchOperators(access: OperatorAccess): Promise<OperatorView[]> {
  const reply = await askJson(access, 'GET', '/v1/operators')
  return parseMessage(z.strictObject({ operators: z.array(operatorSchema) }), reply, 'operators').operators
}

export async function disableOperator(access: OperatorAccess, operatorId: string): Promise<OperatorView> {
  const reply = await askJson(access, 'POST', `/v1/operators/${encodeURIComponent(operatorId)}/disable`)
  return parseMessage(operatorSchema, reply, 'an operator')
}

/** A session as a bearer token. @throws FedsvdError SIGN_IN_REFUSED */
export async function signIn(access: Omit<OperatorAccess, 'token'>, name: string, secret: string) {
  const reply = await askJson(access, 'POST', '/v1/session', { name, secret, as: 'token' })
  return parseMessage(sessionInfoSchema.required({ token: true }), reply, 'a session')
}

/** The entries of the audit log that come after `seq`, oldest first. */
export async function fetchAuditLog(access: OperatorAccess, seq: number, limit: number): Promise<AuditEntry[]> {
  const reply = await askJson(access, 'GET', `/v1/audit-log?after=${seq}&limit=${limit}`)
  return parseMessage(auditPageSchema, reply, 'a page of the audit log').entries
}

/**
 * Calls `onSnapshot` with each open run on connection, and with every change of any run until closed. Reconnects by
 * itself; a run that ended meanwhile is told by `fetchRun` alone. `connected` resolves at the first connection. What is
 * no snapshot is told to `onFault`.
 */
export function watchRuns(
  { url, token, trust }: OperatorAccess,
  onSnapshot: (snapshot: RunSnapshot) => void,
  onFault: (error: unknown) => void = () => {},
): Disposable & { readonly connected: Promise<void> } {
  const { socket } = openSocket<Socket<OperatorEvents>>(routeTo(url, trust), '/operator', { auth: { token } })
  socket.on('run', (snapshot) => {
    try {
      onSnapshot(parseMessage(runSnapshotSchema, snapshot, 'a run snapshot'))
    } catch (error) {
      onFault(error) // thrown here, it would end the process
    }
  })
  const connected = new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.connect()
  return { connected, [Symbol.dispose]: () => socket.disconnect() }
}

/**
 * Follows one run: calls `onChange` with each of its changes, and `ended` resolves with the last one. Disposing it ends
 * the watch.
 */
export function followRun(
  access: OperatorAccess,
  runId: string,
  onChange: (run: RunSnapshot) => void = () => {},
): Disposable & { readonly ended: Promise<RunSnapshot> } {
  let watch: Disposable | undefined
  const ended = new Promise<RunSnapshot>((resolve, reject) => {
    const follow = (run: RunSnapshot): void => {
      if (run.runId !== runId) return
      onChange(run)
      if (isRunOver(run.state)) resolve(run)
    }
    watch = watchRuns(access, follow, reject)
    fetchRun(access, runId).then(follow).catch(reject)
  })
  return { ended, [Symbol.dispose]: () => watch?.[Symbol.dispose]() }
}

type Access = Omit<OperatorAccess, 'token'> & { readonly token?: string }

/** No more of an answer is taken than any has. @throws SyntaxError for one that is no JSON */
async function jsonOf(response: Response): Promise<unknown> {
  return JSON.parse(await textBody(response, LONGEST_JSON)) as unknown
}

/** One request whose answer is JSON. @throws FedsvdError as {@link send} does */
export async function askJson(access: Access, method: string, path: `/${string}`, body?: unknown): Promise<unknown> {
  return await send(access, method, path, { body, read: jsonOf })
}

/** @throws FedsvdError what the coordinator answers, or COORDINATOR_UNREACHABLE, also for what answers in its place */
async function send<T>(
  { url, token, trust }: Access,
  method: string,
  path: `/${string}`,
  { body, read }: { readonly body?: unknown; readonly read: (response: Response) => Promise<T> },
): Promise<T> {
  const route = routeTo(url, trust)
  const headers = new Headers(body === undefined ? {} : { 'content-type': 'application/json' })
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  return await requestOnce(route, { url: endpoint(route.coordinator, path), init, read }).catch((cause: unknown) => {
    if (cause instanceof FedsvdError) throw cause
    const { coordinator, proxy } = route
    throw new FedsvdError(
      'COORDINATOR_UNREACHABLE',
      {
        expected: `a coordinator at ${coordinator}`,
        got: proxy === undefined ? 'no answer' : `no answer by way of the proxy ${proxy.origin}`,
        remedy:
          'Check the address, that `fedsvd serve` runs there, and whether it asks for a certificate (--cert, --key)',
      },
      { cause },
    )
  })
}
