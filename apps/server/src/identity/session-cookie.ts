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

/** The session identifier in a `Cookie` header. */
export function sessionCookie(header: string | undefined): string | undefined {
  return valueIn(header, [SECURE_NAME, PLAIN_NAME], /^[A-Za-z0-9_-]{43}$/)
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

/** The sealed attempt in a `Cookie` header. */
export function attemptCookie(header: string | undefined): string | undefined {
  return valueIn(header, [SECURE_ATTEMPT, PLAIN_ATTEMPT], /^[A-Za-z0-9_-]{1,1000}$/)
}

function valueIn(header: string | undefined, names: readonly string[], form: RegExp): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('='))
  for (const name of names) {
    const value = pairs.find(([key]) => key === name)?.[1]
    if (value !== undefined && form.test(value)) return value
  }
  return undefined
}
