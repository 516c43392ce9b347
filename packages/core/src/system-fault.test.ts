import { expect, it } from 'vitest'
import { systemFault } from './errors.ts'

const fault = (code: string, more: object = {}) =>
  Object.assign(new Error('inside'), { code, syscall: 'mkdir', ...more })

it('names what was tried, where, what stood in the way, and what to do', () => {
  expect(systemFault(fault('EACCES', { path: '/srv/state' }))?.message).toBe(
    'CONFIG_INVALID: expected to be able to create the folder /srv/state, got permission denied. Give the user of this process access, or choose another path.',
  )
  expect(systemFault(fault('ENOSPC'))?.code).toBe('STORAGE_UNAVAILABLE')
  expect(systemFault(new Error('outside', { cause: fault('EROFS') }))?.message).toContain('read-only')
})

it.each([
  [{ syscall: 'stat', path: '/a' }, 'to be able to look at /a'],
  [{ syscall: 'scandir', path: '/a' }, 'to be able to list the folder /a'],
  [{ syscall: 'rename', path: '/a', dest: '/b' }, 'to be able to rename /a as /b'],
  [{ syscall: 'spawn node', path: 'node' }, 'to be able to start the program node'],
  [{ syscall: 'listen', address: '127.0.0.1', port: 80 }, 'to be able to listen at 127.0.0.1:80'],
  [{ syscall: 'getaddrinfo', hostname: 'db.test' }, 'to be able to find the address of db.test'],
  [{ syscall: 'write' }, 'to be able to write'],
  [{ syscall: 'fsync' }, 'to be able to write a file'],
  [{ syscall: 'unheard', path: '/a' }, 'to be able to use /a'],
])('says in words what %o tried', (more, expected) => {
  expect(systemFault(fault('EACCES', more))?.detail.expected).toBe(expected)
})

it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])(
  'knows %s as a fault of the network',
  (code) => {
    const more = { syscall: 'connect', address: '127.0.0.1', port: 80 }
    expect(systemFault(fault(code, more))?.message).toMatch(
      /^COORDINATOR_UNREACHABLE: expected to be able to connect to 127\.0\.0\.1:80, got .+\. .+\.$/,
    )
  },
)

it('leaves our own faults alone', () => {
  expect(systemFault(new TypeError('x is not a function'))).toBeUndefined()
  expect(systemFault(Object.assign(new Error('no system call'), { code: 'EACCES' }))).toBeUndefined()
  expect(systemFault(fault('ESOMETHING'))).toBeUndefined()
  expect(systemFault(undefined)).toBeUndefined()
})
