import { describe, expect, it } from 'vitest'
import { requireExtension } from './ledger-head.ts'

const at = (length: number, digit: string) => ({ length, head: digit.repeat(64) })
const REMEMBERED = at(5, 'a')
/** What is thrown for a ledger; undefined where it is taken. */
const refusal = (given: Parameters<typeof requireExtension>[1]) => {
  try {
    requireExtension(REMEMBERED, given)
    return undefined
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('the ledger that a client connects with', () => {
  it.each([
    ['is the remembered one', at(5, 'a'), undefined],
    ['goes on from the remembered one', { ...at(9, 'b'), confirmed: at(5, 'a') }, undefined],
    ['is shorter', at(4, 'a'), 'LEDGER_MISMATCH'],
    ['is as long and another', at(5, 'b'), 'LEDGER_MISMATCH'],
    ['is longer and had another entry there', { ...at(9, 'b'), confirmed: at(5, 'c') }, 'LEDGER_MISMATCH'],
    ['is longer and confirms nothing: it answers an older challenge', at(9, 'b'), 'TOKEN_INVALID'],
    ['is longer and confirms another entry', { ...at(9, 'b'), confirmed: at(4, 'a') }, 'TOKEN_INVALID'],
    ['is not named', undefined, 'LEDGER_MISMATCH'],
  ])('%s', (_, given, code) => {
    expect(refusal(given)).toBe(code)
  })

  it('is taken as it is where none is remembered', () => {
    expect(() => requireExtension(undefined, undefined)).not.toThrow()
    expect(() => requireExtension(undefined, at(1, 'a'))).not.toThrow()
  })
})
