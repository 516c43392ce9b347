import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { comparableWords, findNearDuplicates, type Likeness } from './near-duplicates.ts'

const likeness: Likeness = { threshold: 0.5, shingleWords: 2, firstWords: 100 }

/** The definition, in the plainest way: every text against every kept one. */
function byDefinition(texts: readonly string[], { threshold, shingleWords, firstWords }: Likeness): number[] {
  const sets = texts.map((text) => {
    const words = comparableWords(text).slice(0, firstWords)
    const starts = Math.max(1, words.length - shingleWords + 1)
    return new Set(Array.from({ length: starts }, (_, i) => words.slice(i, i + shingleWords).join(' ')))
  })
  const repeats: number[] = []
  sets.forEach((set, i) => {
    const like = (j: number): boolean => {
      const common = [...set].filter((shingle) => sets[j]!.has(shingle)).length
      return repeats[j] === -1 && common / (set.size + sets[j]!.size - common) >= threshold
    }
    const first = sets.slice(0, i).findIndex((_, j) => like(j))
    repeats.push(first)
  })
  return repeats
}

describe('near duplicates', () => {
  test('by hand: 3 of 4 pairs shared is 3 / 5', () => {
    // "one two", "two three", "three four", "four five" against the first three and "four six": 3 common of 5.
    const texts = ['one two three four five', 'one two three four six']
    expect([...findNearDuplicates(texts, { ...likeness, threshold: 0.6 })]).toEqual([-1, 0])
    expect([...findNearDuplicates(texts, { ...likeness, threshold: 0.61 })]).toEqual([-1, -1])
  })

  test('case, punctuation, line breaks and the value of digits do not count', () => {
    const texts = ['Save $100 now, TODAY only!', 'save 999 now\ntoday -- only', 'save 10 now today only']
    expect([...findNearDuplicates(texts, { ...likeness, threshold: 1 })]).toEqual([-1, 0, -1])
  })

  test('only the first words count', () => {
    const texts = ['same start then one end', 'same start then another end altogether']
    expect([...findNearDuplicates(texts, { ...likeness, firstWords: 3, threshold: 1 })]).toEqual([-1, 0])
  })

  test('finds exactly what the definition says', () => {
    const word = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
    const text = fc.array(word, { maxLength: 12 }).map((words) => words.join(' '))
    const options = fc.record({
      threshold: fc.constantFrom(0.3, 0.5, 2 / 3, 0.7, 0.8, 1),
      shingleWords: fc.integer({ min: 1, max: 3 }),
      firstWords: fc.integer({ min: 3, max: 15 }),
    })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 25 }), options, (texts, chosen) => {
        expect([...findNearDuplicates(texts, chosen)]).toEqual(byDefinition(texts, chosen))
      }),
      { numRuns: 300 },
    )
  })
})
