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
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('='))
  for (const name of [SECURE_NAME, PLAIN_NAME]) {
    const value = pairs.find(([key]) => key === name)?.[1]
    if (value !== undefined && /^[A-Za-z0-9_-]{43}$/.test(value)) return value
  }
  return undefined
}
