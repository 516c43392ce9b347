import { expect, it } from 'vitest'
import { systemFault } from './errors.ts'

const fault = (code: string, more: object = {}) =>
  Object.assign(new Error('inside'), { code, syscall: 'mkdir', ...more })

it('names what was tried, where, what stood in the way, and what to do', () => {
  expect(systemFault(fault('EACCES', { path: '/srv/state' }))?.message).toBe(
    'CONFIG_INVALID: expected to mkdir /srv/state, got no permission. Give the user of this process access, or choose another path.',
  )
  expect(systemFault(fault('ENOSPC'))?.code).toBe('STORAGE_UNAVAILABLE')
  expect(systemFault(new Error('outside', { cause: fault('EROFS') }))?.message).toContain('read-only')
})

it('leaves our own faults alone', () => {
  expect(systemFault(new TypeError('x is not a function'))).toBeUndefined()
  expect(systemFault(Object.assign(new Error('no system call'), { code: 'EACCES' }))).toBeUndefined()
  expect(systemFault(fault('ESOMETHING'))).toBeUndefined()
  expect(systemFault(undefined)).toBeUndefined()
})
