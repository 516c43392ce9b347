import { isFedsvdError } from '@fedsvd/core/errors'
import { expect, it } from 'vitest'
import { translateDatabaseError } from './database-errors.ts'

const fault = (message: string, code?: string) => Object.assign(new Error(message), { code })

it.each<[string, Error, string, RegExp]>([
  ['a wrong password', fault('password authentication failed', '28P01'), 'CONFIG_INVALID', /a user and a password/],
  ['an unknown role', fault('role "x" does not exist', '28000'), 'CONFIG_INVALID', /Correct user and password/],
  ['a missing database', fault('database "x" does not exist', '3D000'), 'CONFIG_INVALID', /createdb/],
  ['missing rights', fault('permission denied for schema public', '42501'), 'CONFIG_INVALID', /GRANT CREATE/],
  ['TLS that is not there', fault('The server does not support SSL connections'), 'CONFIG_INVALID', /Set up TLS/],
  [
    'TLS that is asked for',
    fault('no pg_hba.conf entry for host, no encryption', '28000'),
    'CONFIG_INVALID',
    /sslmode/,
  ],
  ['no answer', fault('connect ECONNREFUSED', 'ECONNREFUSED'), 'DATABASE_UNAVAILABLE', /Check that it runs/],
  ['a host that is not there', fault('getaddrinfo ENOTFOUND db', 'ENOTFOUND'), 'DATABASE_UNAVAILABLE', /host.*%40/],
  ['a name server that is away', fault('getaddrinfo EAI_AGAIN db', 'EAI_AGAIN'), 'DATABASE_UNAVAILABLE', /it runs/],
  [
    'a password that is not given',
    fault('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
    'CONFIG_INVALID',
    /got none.*user:password@host/,
  ],
  ['a shutdown', fault('terminating connection', '57P01'), 'DATABASE_UNAVAILABLE', /Check that it runs/],
])('says of %s what is wrong and what to do', (_, error, code, message) => {
  const translated = translateDatabaseError(error)
  if (!isFedsvdError(translated)) throw error
  expect(translated.code).toBe(code)
  expect(translated.message).toMatch(message)
})

it('finds the code of the driver inside what an adapter made of it', () => {
  const wrapped = Object.assign(new Error('Invalid invocation'), {
    meta: { driverAdapterError: Object.assign(new Error('x'), { originalCode: '28P01' }) },
  })
  expect(translateDatabaseError(wrapped)).toMatchObject({ code: 'CONFIG_INVALID' })
})

it('leaves other errors as they are', () => {
  const other = fault('duplicate key', '23505')
  expect(translateDatabaseError(other)).toBe(other)
})
