import { ERROR_CATALOGUE, type ErrorCode } from '@fedsvd/core/errors'
import { ROUND_FAILURES } from '@fedsvd/core/protocol'
import { expect, it } from 'vitest'
import { roundFailureCode, WIRE_CODES, wireCode } from './wire-codes.ts'

const codes = Object.keys(ERROR_CATALOGUE) as ErrorCode[]

it('a refusal leaves under its code where the table has it, and under one code for all others', () => {
  const kept = codes.filter((code) => code in WIRE_CODES)
  expect(kept.map(wireCode)).toEqual(kept)
  const others = codes.filter((code) => !(code in WIRE_CODES))
  expect(others).toContain('DATA_EMPTY')
  expect(new Set(others.map(wireCode))).toEqual(new Set(['SITE_DECLINED']))
})

it('a failed round is told under a code of the protocol that the table has, and under one code for all others', () => {
  for (const code of codes) {
    const isTold = ROUND_FAILURES.some((failure) => failure === code) && code in WIRE_CODES
    expect(roundFailureCode(code)).toBe(isTold ? code : 'SITE_DECLINED')
  }
})
