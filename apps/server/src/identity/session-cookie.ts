/** Under TLS the prefix lets browsers refuse the cookie from anywhere but this very host, over TLS. */
const SECURE_NAME = '__Host-fedsvd-session'
const PLAIN_NAME = 'fedsvd-session'

/**
 * Name and attributes of the cookie of a session, as express sets it. No age: it ends with the browser, or its session.
 */
export function cookieFor(isSecure: boolean) {
  const attributes = { httpOnly: true, sameSite: 'strict', secure: isSecure, path: '/' } as const
  return [isSecure ? SECURE_NAME : PLAIN_NAME, attributes] as const
}

/** The session identifier in the `Cookie` header of a request, which came over TLS where `isSecure` says so. */
export function sessionCookie(header: string | undefined, isSecure: boolean): string | undefined {
  return valueIn(header, namesFor(isSecure, SECURE_NAME, PLAIN_NAME), /^[A-Za-z0-9_-]{43}$/)
}

const SECURE_ATTEMPT = '__Host-fedsvd-sign-in'
const PLAIN_ATTEMPT = 'fedsvd-sign-in'

/**
 * As `cookieFor`, of a sign-in under way at an OpenID provider. Lax, as the browser comes back from another site: it is
 * sent along when a page is opened, and with no other request from there.
 */
export function attemptCookieFor(isSecure: boolean) {
  const attributes = { httpOnly: true, sameSite: 'lax', secure: isSecure, path: '/' } as const
  return [isSecure ? SECURE_ATTEMPT : PLAIN_ATTEMPT, attributes] as const
}

/** As `sessionCookie`, the sealed attempt. */
export function attemptCookie(header: string | undefined, isSecure: boolean): string | undefined {
  return valueIn(header, namesFor(isSecure, SECURE_ATTEMPT, PLAIN_ATTEMPT), /^[A-Za-z0-9_-]{1,1000}$/)
}

/**
 * Under TLS a cookie of the plain name is not ours: a neighbouring host, or somebody on a plain line, may have put it
 * there, to have an operator work in the session of another.
 */
function namesFor(isSecure: boolean, secure: string, plain: string): readonly string[] {
  return isSecure ? [secure] : [secure, plain]
}

function valueIn(header: string | undefined, names: readonly string[], form: RegExp): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('='))
  for (const name of names) {
    const value = pairs.find(([key]) => key === name)?.[1]
    if (value !== undefined && form.test(value)) return value
  }
  return undefined
}
