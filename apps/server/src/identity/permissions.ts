import { FedsvdError } from '@fedsvd/core/errors'
import type { Role } from '@fedsvd/core/protocol'
import type { Caller } from './caller.ts'

/**
 * Who may call: anyone, a client that proves itself to the handler, or operators of certain roles. This table is the
 * only place that says so; a coordinator with a route that it does not name refuses to start.
 */
export type Access = 'anyone' | 'client' | readonly Role[]

const ADMIN: Access = ['admin']
/** Runs of their own for operators, all of them for admins. */
const WORK: Access = ['admin', 'operator']
const READ: Access = ['admin', 'operator', 'auditor']
const OVERSEE: Access = ['admin', 'auditor']

export const ROUTES: Readonly<Record<string, Access>> = {
  'GET /healthz': 'anyone',
  'GET /readyz': 'anyone',
  'GET /metrics': 'anyone',
  'POST /v1/enrol': 'anyone',
  'POST /v1/challenge': 'anyone',
  'GET /v1/blobs/:sha256': 'client',
  'PUT /v1/runs/:runId/rounds/:round/update': 'client',
  'PUT /v1/runs/:runId/rounds/:round/update/parts/:sha256': 'client',
  'POST /v1/runs/:runId/rounds/:round/update': 'client',
  'POST /v1/session': 'anyone',
  'POST /v1/session/link': 'anyone',
  'GET /v1/sign-in-options': 'anyone',
  'GET /v1/oidc/start': 'anyone',
  'GET /v1/oidc/callback': 'anyone',
  'GET /v1/oidc/sign-out': 'anyone',
  'GET /v1/session': READ,
  'DELETE /v1/session': READ,
  'POST /v1/operators': ADMIN,
  'GET /v1/operators': OVERSEE,
  'POST /v1/operators/:operatorId/disable': ADMIN,
  'POST /v1/operators/:operatorId/sign-in-link': ADMIN,
  'GET /v1/clients': READ,
  'GET /v1/clients/:clientId': READ,
  'POST /v1/clients/:clientId/revoke': ADMIN,
  'PATCH /v1/clients/:clientId/budget': ADMIN,
  'POST /v1/runs/:runId/clients/:clientId/quarantine': WORK,
  'POST /v1/enrolment-tokens': WORK,
  'GET /v1/enrolment-tokens': WORK,
  'POST /v1/enrolment-tokens/:tokenId/withdraw': WORK,
  'GET /v1/models': WORK,
  'GET /v1/run-options': WORK,
  'POST /v1/runs': WORK,
  'POST /v1/runs/price': WORK,
  'GET /v1/runs': READ,
  'GET /v1/runs/:runId': READ,
  'POST /v1/runs/:runId/stop': WORK,
  'POST /v1/runs/:runId/pause': WORK,
  'POST /v1/runs/:runId/resume': WORK,
  'PATCH /v1/runs/:runId/plan': WORK,
  'GET /v1/runs/:runId/adapter': READ,
  'GET /v1/runs/:runId/ledger': READ,
  'GET /v1/runs/:runId/rounds': READ,
  'GET /v1/runs/:runId/statements/:clientId': READ,
  'GET /v1/registered-models': READ,
  'POST /v1/runs/:runId/registered-models': WORK,
  'DELETE /v1/runs/:runId/registered-models/:name/:version': WORK,
  'GET /v1/statement-key': 'anyone',
  'GET /v1/audit-log': OVERSEE,
  'GET /v1/audit-log/search': OVERSEE,
  'GET /v1/audit-log/verify': OVERSEE,
}

export const OPERATOR_NAMESPACE = '/operator'

/** Who may connect to a namespace. */
export const NAMESPACES: Readonly<Record<string, Access>> = { '/': [], '/client': 'client', [OPERATOR_NAMESPACE]: READ }

/** Events that a connection may send; anything else is refused. Operators send none. */
export const EVENTS: Readonly<Record<string, Access>> = {
  '/client ledger-report': 'client',
  '/client ledger-report-part': 'client',
  '/client round-failed': 'client',
}

/** @throws FedsvdError FORBIDDEN unless the entry names the caller's role */
export function requireRole({ role }: Caller, access: Access, what: string): void {
  if (typeof access !== 'string' && access.includes(role)) return
  throw new FedsvdError('FORBIDDEN', {
    expected:
      typeof access === 'string'
        ? `the credentials of a client for ${what}`
        : `the role ${access.join(' or ')} for ${what}`,
    got: role,
    remedy: 'Ask an admin.',
  })
}

/** The entry of the table for a request: of this method, or of the address with other methods only. */
export function findRoute(
  method: string,
  path: string,
):
  | {
      /** `METHOD /path`, as the table has it. */
      readonly name: string
      readonly access: Access
      readonly isServed: boolean
      readonly params: Readonly<Record<string, string>>
    }
  | undefined {
  const asked = method === 'HEAD' ? 'GET' : method
  const segments = path.split('/')
  const fitting = PATTERNS.flatMap((route) => {
    const params = match(route.segments, segments)
    return params === undefined ? [] : [{ ...route, params }]
  })
  const served = fitting.find((route) => route.method === asked)
  const found = served ?? fitting[0]
  return found && { name: found.name, access: found.access, params: found.params, isServed: served !== undefined }
}

const PATTERNS = Object.entries(ROUTES).map(([route, access]) => {
  const [method, path] = route.split(' ') as [string, string]
  return { name: route, method, access, segments: path.split('/') }
})

/** Stricter than the router: what fits here fits there, and what does not is refused before it gets there. */
function match(pattern: readonly string[], path: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== path.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, expected] of pattern.entries()) {
    const got = path[index]!
    if (expected.startsWith(':') && got !== '') params[expected.slice(1)] = got
    else if (expected !== got) return undefined
  }
  return params
}
