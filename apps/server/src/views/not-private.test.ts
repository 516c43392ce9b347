import { expect, it } from 'vitest'
import { notPrivateReason } from './not-private.ts'

const alert = (code: string, message: string) => ({ code, message })

it.each([
  ['nothing of the kind', 'round 2 failed 6 times: NOT_FINITE: expected ...', [alert('NOT_FINITE', 'a')], undefined],
  ['an alert of a site', undefined, [alert('NOISE_INVALID', 'first'), alert('NOT_FINITE', 'other')], 'first'],
  ['the newest of several', undefined, [alert('NOISE_INVALID', 'first'), alert('NOISE_INVALID', 'last')], 'last'],
  [
    'the end of the run itself',
    'round 1 failed 6 times: NOISE_INVALID: expected ...',
    [],
    'round 1 failed 6 times: NOISE_INVALID: expected ...',
  ],
])('says why no epsilon holds: %s', (_, reason, alerts, expected) => {
  expect(notPrivateReason(reason, alerts)).toBe(expected)
})
