export { actorOf, type Caller, ownsRun, TOKEN_HOLDER } from './caller.ts'
export {
  createEnrolmentTokens,
  enrol,
  listEnrolmentTokens,
  revokeClient,
  withdrawEnrolmentToken,
} from './enrolment.ts'
export { type RoleRules, roleOfClaims } from './oidc/role-of-claims.ts'
export { ATTEMPT_LIFETIME_MS, AttemptSeal } from './oidc/sealed-attempt.ts'
export { SingleSignOn } from './oidc/single-sign-on.ts'
export {
  type Credentials,
  checkCsrfToken,
  OperatorSessions,
  type RevokedSession,
  SESSION_IDLE_MS,
  SESSION_LIFETIME_MS,
} from './operator-sessions.ts'
export { createOperator, disableOperator, linkFor, operatorView } from './operators.ts'
export {
  type Access,
  EVENTS,
  findRoute,
  NAMESPACES,
  OPERATOR_NAMESPACE,
  ROUTES,
  requireRole,
} from './permissions.ts'
export { secretFile } from './secret-file.ts'
export { attemptCookie, attemptCookieFor, cookieFor, sessionCookie } from './session-cookie.ts'
export { createSessions, type Sessions } from './sessions.ts'
export { sharedSessions } from './shared-sessions.ts'
export { type SignInLinks, signInLinks } from './sign-in-links.ts'
export { type StatementKey, statementKey } from './statement-key.ts'
export { type UploadRight, type UploadTokens, uploadTokens } from './upload-tokens.ts'
