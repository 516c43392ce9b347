import { describe, expect, it } from 'vitest'
import { attemptCookie, attemptCookieFor, cookieFor, sessionCookie } from './session-cookie.ts'

const [ours, theirs] = ['o'.repeat(43), 't'.repeat(43)]

describe.each([
  ['a session', cookieFor, sessionCookie],
  ['a sign-in under way', attemptCookieFor, attemptCookie],
])('the cookie of %s', (_, named, read) => {
  const [[secure], [plain]] = [named(true), named(false)]

  it('is found by the name that it was set with', () => {
    expect(read(`${secure}=${ours}`, true)).toBe(ours)
    expect(read(`a=b; ${plain}=${ours}`, false)).toBe(ours)
    expect(read(undefined, true)).toBeUndefined()
  })

  it('is not one that a neighbouring host could set, under TLS', () => {
    expect(read(`${plain}=${theirs}`, true)).toBeUndefined()
    expect(read(`${plain}=${theirs}; ${secure}=${ours}`, true)).toBe(ours)
  })
})
