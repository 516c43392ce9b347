/** A cookie of this coordinator: under TLS the prefix lets browsers refuse it from anywhere but this very host. */
interface CookieKind {
  readonly name: string
  readonly sameSite: 'strict' | 'lax'
  readonly form: RegExp
}

/** No age: it ends with the browser, or its session. */
const SESSION: CookieKind = { name: 'fedsvd-session', sameSite: 'strict', form: /^[A-Za-z0-9_-]{43}$/ }

/**
 * A sign-in under way at an OpenID provider. Lax, as the browser comes back from another site: it is sent along when a
 * page is opened, and with no other request from there.
 */
const ATTEMPT: CookieKind = { name: 'fedsvd-sign-in', sameSite: 'lax', form: /^[A-Za-z0-9_-]{1,1000}$/ }

/** Name and attributes of the cookie of a session, as express sets it. */
export const cookieFor = (isSecure: boolean) => named(SESSION, isSecure)

/** As {@link cookieFor}, of a sign-in under way. */
export const attemptCookieFor = (isSecure: boolean) => named(ATTEMPT, isSecure)

/** The session identifier in the `Cookie` header of a request, which came over TLS where `isSecure` says so. */
export const sessionCookie = (header: string | undefined, isSecure: boolean) => valueIn(header, SESSION, isSecure)

/** As {@link sessionCookie}, the sealed attempt. */
export const attemptCookie = (header: string | undefined, isSecure: boolean) => valueIn(header, ATTEMPT, isSecure)

function named({ name, sameSite }: CookieKind, isSecure: boolean) {
  const attributes = { httpOnly: true, sameSite, secure: isSecure, path: '/' } as const
  return [isSecure ? secureName(name) : name, attributes] as const
}

/**
 * Under TLS a cookie of the plain name is not ours: a neighbouring host, or somebody on a plain line, may have put it
 * there, to have an operator work in the session of another.
 */
function valueIn(header: string | undefined, { name, form }: CookieKind, isSecure: boolean): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim().split('='))
  const names = isSecure ? [secureName(name)] : [secureName(name), name]
  return names
    .map((wanted) => pairs.find(([key]) => key === wanted)?.[1])
    .find((value) => value !== undefined && form.test(value))
}

const secureName = (name: string): string => `__Host-${name}`
