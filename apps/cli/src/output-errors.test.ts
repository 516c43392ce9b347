import { EventEmitter } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { handleOutputErrors } from './output-errors.ts'

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

function outputs() {
  const [stdout, stderr] = [new EventEmitter(), new EventEmitter()]
  const told: string[] = []
  const exits: number[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => told.push(String(text)) > 0)
  handleOutputErrors({ stdout, stderr, json: false, exit: (code) => exits.push(code) })
  const failWith = (code: string): void =>
    void stdout.emit('error', Object.assign(new Error(code), { code, syscall: 'write' }))
  return { failWith, stderr, told, exits }
}

describe('output that cannot be written', () => {
  it('for lack of space is told once, and ends nothing', () => {
    const { failWith, told, exits } = outputs()
    failWith('ENOSPC')
    failWith('ERR_STREAM_DESTROYED')
    expect(told).toEqual([
      expect.stringMatching(/^STORAGE_UNAVAILABLE: expected to be able to write, got no space left/),
    ])
    expect(exits).toEqual([])
    expect(process.exitCode).toBe(8)
  })

  it('because its reader has enough ends the command without a failure', () => {
    const { failWith, told, exits } = outputs()
    failWith('EPIPE')
    expect({ told, exits }).toEqual({ told: [], exits: [0] })
  })

  it('on stderr is no matter', () => {
    expect(outputs().stderr.emit('error', new Error('full'))).toBe(true)
  })
})
