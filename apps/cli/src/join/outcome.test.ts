import type { SiteEnding } from '@fedsvd/client'
import { FedsvdError } from '@fedsvd/core/errors'
import { describe, expect, it } from 'vitest'
import { outcomeOf } from './outcome.ts'

const runId = '11111111-1111-4111-8111-111111111111'
const error = new FedsvdError('LABEL_UNKNOWN', { expected: 'ham, spam', got: 'eggs', remedy: 'Open another run.' })

describe('a client that ends by itself', () => {
  it.each<[string, Error | SiteEnding, number, RegExp | undefined]>([
    [
      'a run that is completed',
      { kind: 'ended', runId, state: 'completed', reason: 'for want of budget' },
      0,
      undefined,
    ],
    ['a run that it declined', { kind: 'declined', runId, error }, 3, /LABEL_UNKNOWN/],
    ['terms that were refused', { kind: 'refused', runId, state: 'stopped', reason: 'why' }, 4, /refused \(why\)/],
    ['a coordinator that turns it away', error, 4, /LABEL_UNKNOWN/],
    ['a run that was stopped', { kind: 'ended', runId, state: 'stopped', reason: 'by hand' }, 5, /stopped \(by hand\)/],
    ['a run that failed', { kind: 'ended', runId, state: 'failed' }, 6, /failed \(no reason given\)/],
  ])('with %s has an exit code of its own', (_, ending, exitCode, message) => {
    const outcome = outcomeOf(ending)
    expect(outcome.exitCode).toBe(exitCode)
    if (message === undefined) expect(outcome.error).toBeUndefined()
    else expect(outcome.error?.message).toMatch(message)
  })
})
