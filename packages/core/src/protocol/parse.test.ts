import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type FedsvdError, isFedsvdError } from '../errors.ts'
import { enrolRequestSchema, ledgerReplySchema, ledgerReportSchema, wireErrorSchema } from './messages.ts'
import { runRequestSchema } from './operator.ts'
import { parseMessage } from './parse.ts'

function refusal(schema: z.ZodType, value: unknown): FedsvdError {
  try {
    parseMessage(schema, value, 'a message')
  } catch (error) {
    if (isFedsvdError(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const runId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const event = {
  mechanism: 'poisson-subsampled-gaussian',
  sampleRate: 0.1,
  noiseMultiplier: 2,
  steps: 3,
  clipNorm: 1,
  relation: 'add-or-remove-one',
  unit: 'record',
}

/** Calls of the validator's own error maps: each is one issue that was gathered. */
function issuesOf(schema: z.ZodType, value: unknown): number {
  let issues = 0
  z.config({
    customError: () => {
      issues += 1
      return undefined
    },
  })
  try {
    refusal(schema, value)
  } finally {
    z.config({ customError: undefined })
  }
  return issues
}

describe('a message that does not fit', () => {
  it('costs no more than its first faults, however many faults a report of 4 MB has', () => {
    const reservations = Array.from({ length: 20_000 }, () => ({ round: -1, attempt: 0, event: {} }))
    expect(JSON.stringify({ runId, reservations }).length).toBeGreaterThan(700_000)
    expect(issuesOf(ledgerReportSchema, { runId, reservations })).toBeLessThan(1000)
    expect(refusal(ledgerReportSchema, { runId, reservations }).detail.expected).toBe(
      'a message with a valid reservations.0.round',
    )
  })

  it('is refused for its length before any element is looked at', () => {
    const reservations = Array.from({ length: 1_000_000 }, () => ({}))
    expect(issuesOf(ledgerReportSchema, { runId, reservations })).toBe(0)
    expect(refusal(ledgerReportSchema, { runId, reservations }).detail.got).toBe(
      '1000000 items where at most 20000 may be',
    )
  })

  it('is looked into at every depth, by the element', () => {
    const layers = Array.from({ length: 5000 }, () => ({ name: '', dIn: -1, dOut: 0 }))
    const nested = z.object({ adapter: z.object({ layers: runRequestSchema.shape.labels.optional() }).optional() })
    expect(issuesOf(nested, { adapter: { layers } })).toBeLessThan(1000)
    expect(refusal(nested, { adapter: { layers } }).detail.expected).toContain('adapter.layers.0')
  })

  it.each([
    ['a length that is no number', { length: { toString: 1, valueOf: 2 } }],
    ['a length whose value throws', { length: { valueOf: () => JSON.parse('{') } }],
    ['a number with a value of its own', { valueOf: 1, toString: 2 }],
    ['an array that says it is long', Object.assign([], { toString: 1, valueOf: 1 })],
  ])('gets a catalogue error: %s', (_, hostile) => {
    for (const field of ['token', 'name', 'publicKey', 'protocolVersion']) {
      const message = { protocolVersion: 1, token: 'a', name: 'a', publicKey: 'A', [field]: hostile }
      expect(refusal(enrolRequestSchema, message).code).toBe('MESSAGE_INVALID')
    }
    expect(refusal(ledgerReportSchema, { runId, reservations: hostile, since: hostile }).code).toBe('MESSAGE_INVALID')
    expect(refusal(ledgerReportSchema, hostile).code).toBe('MESSAGE_INVALID')
  })

  it('is told in a bounded text: an unknown code does not quote the catalogue', () => {
    const error = { code: 'NOPE', expected: 'a', got: 'b', remedy: '' }
    const { message } = refusal(ledgerReplySchema, { agrees: false, error })
    expect(message).toContain('error.code')
    expect(message.length).toBeLessThan(200)
    const long = refusal(z.record(z.string(), z.number()), { ['x'.repeat(100_000)]: 'a' })
    expect(long.message.length).toBeLessThan(600)
  })
})

describe('a message that lacks something', () => {
  const schema = z.strictObject({
    seed: z.string(),
    momentum: z.number(),
    target: z.strictObject({ epsilon: z.number() }),
  })

  it('is told all that it lacks at once', () => {
    expect(refusal(schema, { target: {} }).detail).toMatchObject({
      expected: expect.stringMatching(/ with seed, momentum, target\.epsilon$/) as string,
      got: 'no value',
    })
    expect(refusal(schema, { seed: 's', target: { epsilon: 1 } }).detail.expected).toMatch(/with a valid momentum$/)
  })

  it('is told of a misspelt name first, for it may be that one', () => {
    expect(refusal(schema, { seed: 's', momentun: 0, target: { epsilon: 1 } }).detail.got).toBe(
      'momentun; did you mean momentum?',
    )
  })
})

describe('a message that fits', () => {
  it('comes out as the schema says, long arrays included', () => {
    const reservations = Array.from({ length: 17_000 }, (_, round) => ({ round, attempt: 1, event }))
    expect(parseMessage(ledgerReportSchema, { runId, reservations }, 'a report')).toEqual({ runId, reservations })
    expect(
      parseMessage(wireErrorSchema, { code: 'UNEXPECTED', expected: '', got: '', remedy: '' }, 'an error').code,
    ).toBe('UNEXPECTED')
  })
})
