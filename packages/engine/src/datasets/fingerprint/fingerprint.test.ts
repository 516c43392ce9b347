import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fingerprintRecords } from './fingerprint.ts'

const record = fc.record({ text: fc.string({ unit: 'binary' }), label: fc.constantFrom('ham', 'spam', '') })
const records = fc.array(record, { minLength: 1, maxLength: 8 })

describe('the fingerprint of a data set', () => {
  test('is 64 hexadecimal digits, for no records too', () => {
    expect(fingerprintRecords([])).toMatch(/^[0-9a-f]{64}$/)
  })

  test('does not depend on the order or on sources', () => {
    fc.assert(
      fc.property(records, fc.infiniteStream(fc.nat()), (all, keys) => {
        const shuffled = all.map((item) => ({ item: { ...item, source: 'list:x' }, key: keys.next().value }))
        const other = shuffled.sort((a, b) => a.key - b.key).map(({ item }) => item)
        expect(fingerprintRecords(other)).toBe(fingerprintRecords(all))
      }),
    )
  })

  test('changes with one record more, less, twice or edited', () => {
    fc.assert(
      fc.property(records, record, (all, extra) => {
        const [first, ...rest] = all
        const edited = { ...first!, text: `${first!.text}.` }
        const variants = [all, rest, [...all, extra], [...all, extra, extra], [edited, ...rest]]
        expect(new Set(variants.map(fingerprintRecords)).size).toBe(variants.length)
      }),
    )
  })

  test('keeps apart what plain joining would confuse', () => {
    const pairs = [
      { label: 'ab', text: 'c' },
      { label: 'a', text: 'bc' },
      { label: '', text: 'abc' },
      { label: '', text: '\ud800' },
      { label: '', text: '\ufffd' },
    ]
    expect(new Set(pairs.map((pair) => fingerprintRecords([pair]))).size).toBe(pairs.length)
  })

  test('keeps the records of the tasks apart, and the fields of each', () => {
    const variants = [
      { text: 'ab', label: '' },
      { task: 'causal-lm', text: 'ab' },
      { task: 'instruction-tuning', prompt: 'ab', answer: '' },
      { task: 'instruction-tuning', prompt: 'a', answer: 'b' },
      { task: 'token-classification', words: ['a'], tags: ['b'] },
      { task: 'token-classification', words: ['b'], tags: ['a'] },
      { task: 'token-classification', words: ['a', 'b'], tags: ['', ''] },
      { task: 'token-classification', words: ['ab', ''], tags: ['', ''] },
    ] as const
    expect(new Set(variants.map((record) => fingerprintRecords([record]))).size).toBe(variants.length)
  })

  test('of labelled texts is what it has always been: ledgers are kept under it', () => {
    const digest = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
    const length = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
    const record = digest(length(3), Buffer.from('ham', 'utf16le'), Buffer.from('text', 'utf16le'))
    const expected = digest(Buffer.from('fedsvd data set 1'), length(1), record).toString('hex')
    expect(fingerprintRecords([{ text: 'text', label: 'ham' }])).toBe(expected)
    expect(fingerprintRecords([{ task: 'sequence-classification', text: 'text', label: 'ham' }])).toBe(expected)
  })
})
