import { ERROR_CATALOGUE, type ErrorCode } from '@fedsvd/core/errors'
import { describe, expect, it } from 'vitest'
import { EXIT, EXIT_MEANINGS, exitCodeOf, exitKindOf } from './exit-codes.ts'

const codes = Object.keys(ERROR_CATALOGUE) as readonly ErrorCode[]

describe('exit codes', () => {
  it('are one for each kind of ending, within what a shell can tell', () => {
    const numbers = Object.values(EXIT)
    expect(new Set(numbers).size).toBe(numbers.length)
    for (const number of numbers) expect(number === EXIT.interrupted || number < 126).toBe(true)
    expect(Object.keys(EXIT_MEANINGS)).toEqual(Object.keys(EXIT))
  })

  it('never say of an error that all went well, or what only the end of a run says', () => {
    const ofRuns = [EXIT.done, EXIT.usage, EXIT.declined, EXIT.refused, EXIT.stopped, EXIT.failed] as readonly number[]
    for (const code of codes) expect(ofRuns, code).not.toContain(exitCodeOf(code))
  })

  it.each([
    ['CONFIG_INVALID', 'invalid'],
    ['DATA_UNREADABLE', 'invalid'],
    ['COORDINATOR_UNREACHABLE', 'unavailable'],
    ['RATE_LIMITED', 'unavailable'],
    ['TOKEN_INVALID', 'denied'],
    ['FORBIDDEN', 'denied'],
    ['RUN_NOT_FOUND', 'absent'],
    ['RUN_STATE', 'conflict'],
    ['LEDGER_LOCKED', 'conflict'],
    ['BUDGET_EXHAUSTED', 'privacy'],
    ['DELTA_TOO_LARGE', 'privacy'],
    ['AUDIT_DAMAGED', 'fault'],
    ['LEDGER_DAMAGED', 'fault'],
    ['UNEXPECTED', 'fault'],
  ] as const)('%s is of the kind %s', (code, kind) => {
    expect(exitKindOf(code)).toBe(kind)
  })
})
