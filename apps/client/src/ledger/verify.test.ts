import { generateKeyPairSync } from 'node:crypto'
import { FINGERPRINT, RUN_A, sampleBound } from '@fedsvd/testing/client/sample-run'
import { describe, expect, it } from 'vitest'
import { type OwnerStatement, publicKeyOf, signStatement } from '../owner/statement.ts'
import { chain, encodeEntry, genesisHash } from './chain.ts'
import type { LedgerFact } from './entry.ts'
import { replay } from './replay.ts'
import { verifyLedgerBytes } from './verify.ts'

const AT = '2026-01-01T00:00:00.000Z'
const SHA = 'cd'.repeat(32)
const { event } = sampleBound()
const KEY = { runId: RUN_A, round: 0, attempt: 1 }
const FACTS: readonly LedgerFact[] = [
  { kind: 'opened', format: 1, fingerprint: FINGERPRINT, budget: { epsilon: 6, delta: 1e-5 } },
  { kind: 'bound', ...sampleBound() },
  { kind: 'reserved', ...KEY, event },
  { kind: 'finished', ...KEY, frameSha256: SHA },
  { kind: 'acknowledged', ...KEY, frameSha256: SHA, outcome: 'accepted' },
]

/** The lines of a ledger that holds these facts. */
function linesOf(facts: readonly LedgerFact[], fingerprint = FINGERPRINT, numberOf = (seq: number) => seq): string[] {
  let head = genesisHash(fingerprint)
  return facts.map((fact, seq) => {
    const entry = chain(head, numberOf(seq), AT, fact)
    head = entry.hash
    return encodeEntry(entry)
  })
}

const verify = (text: string | Uint8Array, fingerprint = FINGERPRINT) =>
  verifyLedgerBytes(typeof text === 'string' ? Buffer.from(text) : text, fingerprint)
const LINES = linesOf(FACTS)
const TEXT = LINES.join('')

describe('verification', () => {
  it('reads back what was written', () => {
    const { entries, tail, wholeBytes } = verify(TEXT)
    expect(entries.map(({ fact }) => fact)).toEqual(FACTS)
    expect({ tail, wholeBytes }).toEqual({ tail: 'none', wholeBytes: TEXT.length })
  })

  it('accepts an empty file as a ledger without entries', () => {
    expect(verify('')).toEqual({ entries: [], head: genesisHash(FINGERPRINT), wholeBytes: 0, tail: 'none' })
  })

  it('finds a change of any one byte', () => {
    const bytes = Buffer.from(TEXT)
    for (let index = 0; index < bytes.length; index += 1) {
      const changed = Buffer.from(bytes)
      changed[index] = bytes[index]! ^ 0x01
      expect(() => verify(changed), `byte ${index}: ${bytes.subarray(Math.max(0, index - 8), index + 8)}`).toThrow(
        'LEDGER_DAMAGED',
      )
    }
  })

  it.each([
    [
      'an entry of another kind',
      [...FACTS, { kind: 'unheard-of' }],
      /WRITTEN_BY_NEWER.*"unheard-of" in line 6.*Upgrade/,
    ],
    ['another format', [{ ...FACTS[0], format: 3 }], /WRITTEN_BY_NEWER.*format 3 in line 1/],
    ['another field', [{ ...FACTS[0], more: 1 }], /WRITTEN_BY_NEWER/],
  ])('tells a whole line of a newer release from damage: %s', (_, facts, message) => {
    const lines = linesOf(facts as readonly LedgerFact[])
    expect(() => verify(lines.join(''))).toThrow(message)
    const changed = lines.with(-1, lines.at(-1)!.replace('"at":"2026', '"at":"2025')).join('')
    expect(() => verify(changed)).toThrow('LEDGER_DAMAGED')
  })

  it.each([
    ['a missing line', LINES.toSpliced(2, 1)],
    ['the first line missing', LINES.slice(1)],
    ['a line twice', LINES.toSpliced(2, 0, LINES[2]!)],
    ['two lines exchanged', [LINES[0]!, LINES[2]!, LINES[1]!, ...LINES.slice(3)]],
    ['a forged line', LINES.with(2, linesOf(FACTS.with(2, { kind: 'reserved', ...KEY, round: 7, event }))[2]!)],
    ['spaces in the JSON', LINES.with(3, LINES[3]!.replace(',', ', '))],
    ['an empty line', LINES.toSpliced(3, 0, '\n')],
    ['a number left out in an unbroken chain', linesOf(FACTS, FINGERPRINT, (seq) => (seq < 3 ? seq : seq + 1))],
  ])('refuses %s', (_, lines) => {
    expect(() => verify(lines.join(''))).toThrow('LEDGER_DAMAGED')
  })

  it('refuses the ledger of another data set', () => {
    expect(() => verify(linesOf(FACTS, '00'.repeat(32)).join(''))).toThrow('LEDGER_DAMAGED')
  })

  it('names the line', () => {
    expect(() => verify(LINES.with(2, 'nonsense\n').join(''))).toThrow(/in line 3 of the ledger/)
  })
})

describe('the tail', () => {
  it('is torn at every place where a write can be cut off, and the lines before it stand', () => {
    const last = LINES.at(-1)!
    const before = TEXT.slice(0, -last.length)
    for (let kept = 1; kept < last.length - 1; kept += 1) {
      const { entries, tail, wholeBytes } = verify(before + last.slice(0, kept))
      expect({ kept, tail, wholeBytes, entries: entries.length }).toEqual({
        kept,
        tail: 'torn',
        wholeBytes: before.length,
        entries: 4,
      })
    }
  })

  it('counts a whole line that only lacks its newline: over-counting is the safe side', () => {
    expect(verify(TEXT.slice(0, -1))).toMatchObject({ tail: 'unterminated', entries: { length: 5 } })
  })

  it('is torn when a file system left zeros there', () => {
    expect(verify(`${TEXT}${'\0'.repeat(512)}`).tail).toBe('torn')
  })

  it('is damage when a whole line is not what the chain says', () => {
    expect(() => verify(TEXT.slice(0, -1).replace('"accepted"', '"refused"'))).toThrow('LEDGER_DAMAGED')
  })
})

describe('replay', () => {
  const last =
    (...facts: readonly LedgerFact[]) =>
    () =>
      replay(verify(linesOf([...FACTS.slice(0, 3), ...facts]).join('')).entries)

  it.each<[string, ...LedgerFact[]]>([
    ['a second opening', FACTS[0]!],
    ['a run bound twice', FACTS[1]!],
    ['an attempt reserved twice', FACTS[2]!],
    ['an attempt at a round that has its frame', FACTS[3]!, { kind: 'reserved', ...KEY, attempt: 2, event }],
    ['an attempt left out', { kind: 'reserved', ...KEY, attempt: 3, event }],
    ['a run that nobody bound', { kind: 'reserved', ...KEY, runId: '33333333-3333-4333-8333-333333333333', event }],
    ['less noise than was bound', { kind: 'reserved', ...KEY, round: 1, event: { ...event, noiseMultiplier: 0.1 } }],
    ['more steps than were bound', { kind: 'reserved', ...KEY, round: 1, event: { ...event, steps: event.steps + 1 } }],
    ['a round that is shortened by two steps', { kind: 'shortened', ...KEY, step: 0, steps: event.steps - 2 }],
    ['a frame of no attempt', { kind: 'finished', ...KEY, attempt: 2, frameSha256: SHA }],
    ['an answer to no frame', FACTS[4]!],
    ['a higher budget', { kind: 'budget-lowered', budget: { epsilon: 7, delta: 1e-5 } }],
    ['a larger delta', { kind: 'budget-lowered', budget: { epsilon: 5, delta: 1e-4 } }],
  ])('refuses a chain that holds %s', (_, ...facts) => {
    expect(last(...facts.slice(0, -1))).not.toThrow()
    expect(last(...facts)).toThrow('LEDGER_DAMAGED')
  })

  it('refuses a statement that its owner did not sign, in an unbroken chain', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const signed = signStatement({ kind: 'disjoint', budget: 'trial', dataset: SHA, at: AT }, privateKey)
    const holding = (statement: OwnerStatement) => () => {
      const facts: readonly LedgerFact[] = [
        { kind: 'opened', format: 2, name: 'trial', salt: SHA, budget: { epsilon: 6, delta: 1e-5 } },
        { kind: 'owner', publicKey: publicKeyOf(privateKey) },
        { kind: 'stated', statement },
      ]
      return replay(verify(linesOf(facts, 'trial').join(''), 'trial').entries)
    }
    expect(holding(signed)).not.toThrow()
    expect(holding({ ...signed, dataset: '00'.repeat(32) })).toThrow('LEDGER_DAMAGED')
  })
})
