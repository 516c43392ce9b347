import { loadStarterTokenizer } from '@fedsvd/starter'
import { describe, expect, test } from 'vitest'
import { encodeRecords } from './encode-records.ts'
import { plainSpaces } from './encode-text.ts'
import { labelsOf } from './label-set.ts'

const tokenizer = await loadStarterTokenizer()

describe('encoding records', () => {
  test('keeps their order, numbers labels by the label set and cuts at maxTokens', async () => {
    const records = [
      { text: 'Meet me at noon.', label: 'ham' },
      { text: 'win '.repeat(500), label: 'spam' },
    ]
    const encoded = await encodeRecords(records, tokenizer, ['spam', 'ham'], 16)
    expect(encoded.map(({ label }) => label)).toEqual([1, 0])
    expect(encoded[0]!.tokenIds).toEqual(tokenizer.idsOf('Meet me at noon.', 16))
    expect(encoded[1]!.tokenIds).toHaveLength(16)
  })

  test('line breaks and indents are spaces to the model', async () => {
    expect(plainSpaces('\n one\r\n\t two\u00a0 three \n')).toBe('one two three')
    const [folded, flat] = await encodeRecords(
      [
        { text: 'one\n\n  two', label: 'a' },
        { text: 'one two', label: 'b' },
      ],
      tokenizer,
      ['a', 'b'],
      16,
    )
    expect(folded!.tokenIds).toEqual(flat!.tokenIds)
  })

  test('a text of white space still has a token', async () => {
    const [encoded] = await encodeRecords([{ text: ' \n', label: 'a' }], tokenizer, ['a', 'b'], 16)
    expect(encoded!.tokenIds).toHaveLength(1)
  })

  test('refuses a label outside the set, and a set that is no set', async () => {
    const records = [
      { text: 'x', label: 'ham' },
      { text: 'y', label: 'eggs' },
    ]
    const encode = (labels: string[]) => encodeRecords(records, tokenizer, labels, 16)
    await expect(encode(['ham', 'spam'])).rejects.toThrow(/^LABEL_UNKNOWN: .*got another label in record 2/)
    await expect(encode(['ham', 'eggs', 'ham'])).rejects.toThrow(
      /^CONFIG_INVALID: .*different labels, got "ham", "eggs", "ham"/,
    )
    await expect(encode(['ham'])).rejects.toThrow(/^CONFIG_INVALID: .*two or more different labels/)
  })

  test('the labels of records do not depend on their order', () => {
    expect(labelsOf([{ label: 'spam' }, { label: 'ham' }, { label: 'spam' }])).toEqual(['ham', 'spam'])
  })
})
