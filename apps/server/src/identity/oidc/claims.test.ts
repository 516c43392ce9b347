import { describe, expect, it } from 'vitest'
import { identityOfClaims, otherNameOf } from './identity-of-claims.ts'
import { type RoleRules, roleOfClaims } from './role-of-claims.ts'
import { AttemptSeal } from './sealed-attempt.ts'

const rules: RoleRules = {
  claim: 'roles',
  roles: { 'fedsvd-admins': 'admin', staff: 'operator', revision: 'auditor' },
  ofSeveral: 'least',
}

describe('the role that claims give', () => {
  it.each<[unknown, string | undefined]>([
    ['fedsvd-admins', 'admin'],
    [['staff', 'something else'], 'operator'],
    [['fedsvd-admins', 'staff', 'revision'], 'auditor'],
    [undefined, undefined],
    [[], undefined],
    ['admin', undefined], // no name of a role here, but a value that no rule names
    ['toString', undefined],
    ['__proto__', undefined],
    [{ 'fedsvd-admins': true }, undefined],
    [[['fedsvd-admins']], undefined],
    [true, undefined],
    ['fedsvd-admins,staff', undefined],
  ])('of %j is %s', (roles, role) => {
    expect(roleOfClaims({ roles }, rules)).toBe(role)
  })

  it('is the one that may do most where the rules say so', () => {
    expect(roleOfClaims({ roles: ['revision', 'fedsvd-admins'] }, { ...rules, ofSeveral: 'most' })).toBe('admin')
  })

  it('is found by path, and by a name with dots and slashes first', () => {
    expect(roleOfClaims({ realm: { roles: ['staff'] } }, { ...rules, claim: 'realm.roles' })).toBe('operator')
    const claims = { 'https://example.org/roles': 'staff' }
    expect(roleOfClaims(claims, { ...rules, claim: 'https://example.org/roles' })).toBe('operator')
    expect(roleOfClaims({ realm: 'staff' }, { ...rules, claim: 'realm.length' })).toBeUndefined()
  })
})

describe('who somebody is by their claims', () => {
  const options = { issuer: 'https://login.example', nameClaim: 'preferred_username', rules }

  it('is issuer and subject, with a name that others can read', () => {
    const claims = { sub: '17', preferred_username: 'Ada', roles: 'staff' }
    const ada = { issuer: 'https://login.example', subject: '17', name: 'Ada', role: 'operator' }
    expect(identityOfClaims(claims, options)).toEqual(ada)
    for (const name of ['<script>', 'a\u202eb', '', 7, undefined])
      expect(identityOfClaims({ sub: '17', preferred_username: name }, options)?.name).toMatch(/^sso-[0-9a-f]{8}$/)
    const other = otherNameOf(identityOfClaims(claims, options)!)
    expect(other).toMatch(/^Ada-[0-9a-f]{8}$/)
    expect(otherNameOf(identityOfClaims({ ...claims, sub: '18' }, options)!)).not.toBe(other)
  })

  it('is nobody without a subject', () => {
    for (const sub of [undefined, '', 17, 'x'.repeat(256)]) expect(identityOfClaims({ sub }, options)).toBeUndefined()
  })
})

describe('a sealed attempt', () => {
  const attempt = { state: 's', nonce: 'n', codeVerifier: 'v', expiresAt: 1000 }

  it('is opened by those who share the secret, in time, and as it was sealed', () => {
    const seal = new AttemptSeal('a secret')
    const sealed = seal.seal(attempt)
    expect(new AttemptSeal('a secret').open(sealed, 999)).toEqual(attempt)
    expect(seal.open(sealed, 1000)).toBeUndefined()
    expect(new AttemptSeal('another').open(sealed, 0)).toBeUndefined()
    const changed = Buffer.from(sealed, 'base64url')
    changed[changed.length - 1]! ^= 1
    for (const other of [changed.toString('base64url'), sealed.slice(0, -4), '', 'x', 'A'.repeat(5000)])
      expect(seal.open(other, 0)).toBeUndefined()
    expect(seal.seal(attempt)).not.toBe(sealed)
    expect(sealed).not.toContain(Buffer.from('codeVerifier').toString('base64url').slice(2, 12))
  })
})
