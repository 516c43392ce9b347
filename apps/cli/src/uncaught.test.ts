import { EventEmitter } from 'node:events'
import { afterEach, expect, it, vi } from 'vitest'
import { handleUncaught } from './uncaught.ts'

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

const ofSystem = (code: string, more: object) => Object.assign(new Error('inside'), { code, ...more })

it.each<[string, Error, RegExp]>([
  ['a connection that is cut', ofSystem('ECONNRESET', { syscall: 'read' }), /^COORDINATOR_UNREACHABLE: .*was cut/],
  ['a full disk', ofSystem('ENOSPC', { syscall: 'write', path: '/a' }), /^STORAGE_UNAVAILABLE: .*no space left/],
  ['a fault of our own', new TypeError('x is not a function'), /^UNEXPECTED: .*x is not a function/],
])('%s that was not caught ends a command in one line of the catalogue, with exit code 1', (_, error, line) => {
  const told: string[] = []
  const exits: number[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0)
  const emitter = new EventEmitter()
  handleUncaught({ process: emitter, json: false, exit: (code) => exits.push(code) })
  emitter.emit('uncaughtException', error)
  expect(told).toEqual([expect.stringMatching(line)])
  expect(exits).toEqual([1])
})
