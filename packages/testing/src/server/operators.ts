import type { OperatorView, Role, SessionInfo } from '@fedsvd/core/protocol'
import { post } from './fake-client.ts'

/** How a test speaks to a coordinator; nothing of it means anonymously. */
export interface Credentials {
  readonly bearer?: string | undefined
  readonly cookie?: string
  readonly csrfToken?: string | undefined
}

export interface Answer {
  readonly status: number
  /** Code of a refusal; absent where the request was served. */
  readonly code?: string
  readonly body: unknown
  readonly headers: Headers
}

/** One request, whatever comes of it. */
export async function call(
  url: string,
  route: string,
  { bearer, cookie, csrfToken }: Credentials = {},
  body?: unknown,
): Promise<Answer> {
  const [method, path] = route.split(' ') as [string, string]
  const headers = {
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    ...(cookie !== undefined && { cookie }),
    ...(csrfToken !== undefined && { 'x-csrf-token': csrfToken }),
  }
  const reply = await fetch(`${url}${path}`, {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const isJson = method !== 'HEAD' && reply.headers.get('content-type')?.startsWith('application/json')
  const content = isJson ? ((await reply.json()) as { error?: { code: string } }) : await reply.text()
  const code = typeof content === 'object' ? content.error?.code : undefined
  return { status: reply.status, body: content, headers: reply.headers, ...(code !== undefined && { code }) }
}

export const SECRET = 'a secret of enough letters'

export function createOperator(
  { url, operatorToken }: { readonly url: string; readonly operatorToken: string },
  name: string,
  role: Role,
): Promise<OperatorView> {
  return post<OperatorView>(url, '/v1/operators', { name, role, secret: SECRET }, operatorToken)
}

/** Signs in for a bearer token. */
export async function signIn(url: string, name: string): Promise<string> {
  return (await post<{ token: string }>(url, '/v1/session', { name, secret: SECRET, as: 'token' })).token
}

/** Signs in as a browser does. */
export async function signInByCookie(
  url: string,
  name: string,
): Promise<Required<Pick<Credentials, 'cookie' | 'csrfToken'>>> {
  const { body, headers } = await call(url, 'POST /v1/session', {}, { name, secret: SECRET })
  const cookie = headers.getSetCookie()[0]!.split(';')[0]!
  return { cookie, csrfToken: (body as SessionInfo).csrfToken! }
}
