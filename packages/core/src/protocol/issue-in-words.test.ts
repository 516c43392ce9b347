import { expect, it } from 'vitest'
import { z } from 'zod'
import { firstIssueInWords, issueInWords } from './issue-in-words.ts'

const said = (schema: z.ZodType, value: unknown): string => {
  const [issue] = schema.safeParse(value).error?.issues ?? []
  if (issue === undefined) throw new Error('nothing was refused')
  return issueInWords(issue, value)
}

const field = (of: z.ZodType) => z.strictObject({ field: of })

it.each<[z.ZodType, unknown, string]>([
  [z.coerce.number().max(3600), '5000', '5000, where at most 3600 may be'],
  [z.number().positive(), -1, '-1, where more than 0 must be'],
  [z.number().int(), 0.5, '0.5, where a whole number must be'],
  [z.number(), 'six', 'text, where a number must be'],
  [z.coerce.number(), 'six', 'text, where a number must be'],
  [z.number(), undefined, 'no value'],
  [z.array(z.string()), {}, 'an object, where a list must be'],
  [z.string().min(3), 'ab', '2 characters, where at least 3 must be'],
  [z.array(z.number()).min(2), [1], '1 item, where at least 2 must be'],
  [z.enum(['cpu', 'cuda']), 'gpu', '"gpu", where one of cpu, cuda may be'],
  [z.literal('a'), 'b', '"b", where only a may be'],
  [z.string().regex(/^[a-z]+$/), 'A secret', 'text of another form than /^[a-z]+$/'],
  [z.url(), 'A secret', 'text that is no address of this kind'],
  [z.number().refine(() => false, 'a number that is even'), 1, 'a number that is even'],
])('says in words what stands there and what may (%#)', (schema, value, words) => {
  expect(said(schema, value)).toBe(words)
  expect(said(field(schema), { field: value })).toBe(words)
})

it('shows no text but a short word in place of one of a list', () => {
  expect(said(z.enum(['a', 'b']), 'x'.repeat(41))).toBe('text, where one of a, b may be')
})

it.each([
  [{ a: { b: 'x' } }, 'a valid a.b', 'text, where a number must be'],
  ['x', 'a valid statement', 'text, where an object must be'],
])('names the field that was refused, or the whole (%#)', (value, expected, got) => {
  const schema = z.strictObject({ a: z.strictObject({ b: z.number() }) })
  expect(firstIssueInWords(schema.safeParse(value).error!, value, 'statement')).toEqual({ expected, got })
})
