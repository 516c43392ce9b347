import { seededSource, uniformBelow } from '@fedsvd/core/random'
import { describe, expect, it } from 'vitest'
import { fitLogistic, gradientAt } from './logistic-regression.ts'
import { fitTextBaseline } from './text-baseline.ts'
import { fitTfIdf, type SparseVector } from './tf-idf.ts'

const dense = ({ indices, values }: SparseVector, size: number): number[] =>
  Array.from({ length: size }, (_, at) => values[indices.indexOf(at)] ?? 0)

describe('TF-IDF', () => {
  it('weighs a term by how often it is there and how few texts have it', () => {
    const { size, vectorOf } = fitTfIdf(['a b', 'a c', 'a b b', 'd'])
    // a in 3 of 4 texts, b in 2, "a b" in 2; c, d, "a c" and "b b" in one, which is left out.
    expect(size).toBe(3)
    const [a, b, pair] = [3, 2, 2].map((count) => 1 + Math.log(5 / (1 + count)))
    const weights = [a!, (1 + Math.log(2)) * b!, pair!]
    const length = Math.hypot(...weights)
    expect(dense(vectorOf('A b, b!'), 3)).toEqual(weights.map((weight) => expect.closeTo(weight / length, 12)))
    expect(vectorOf('unknown words').indices).toHaveLength(0)
  })
})

describe('logistic regression', () => {
  const source = seededSource('logistic')
  const size = 12
  const examples = Array.from({ length: 200 }, () => {
    const index = uniformBelow(source, size)
    // One label in five is another one, so that the minimum is inside.
    const label = uniformBelow(source, 5) === 0 ? uniformBelow(source, 3) : index % 3
    return { vector: { indices: Uint32Array.of(index), values: Float64Array.of(1) }, label }
  })
  const terms = { classes: 3, size, penalty: 1 / 200 }

  it('ends at the minimum, where the gradient is gone', () => {
    const largest = (weights: Float64Array) => Math.max(...gradientAt(weights, examples, terms).map(Math.abs))
    const { weights } = fitLogistic(examples, terms)
    expect(largest(weights)).toBeLessThan(2e-4 * largest(new Float64Array(weights.length)))
  })

  it('has the gradient of its loss', () => {
    const weights = Float64Array.from({ length: 3 * (size + 1) }, (_, at) => Math.sin(at))
    const loss = (at: Float64Array): number => {
      const ofOne = ({ vector, label }: (typeof examples)[number]) => {
        const score = (c: number) => at[c * (size + 1) + vector.indices[0]!]! + at[c * (size + 1) + size]!
        return Math.log([0, 1, 2].reduce((sum, c) => sum + Math.exp(score(c)), 0)) - score(label)
      }
      const squares = at.reduce((sum, value, index) => sum + (index % (size + 1) === size ? 0 : value * value), 0)
      return examples.reduce((sum, one) => sum + ofOne(one), 0) / examples.length + (terms.penalty / 2) * squares
    }
    const gradient = gradientAt(weights, examples, terms)
    for (const index of weights.keys()) {
      const moved = (by: number) => loss(weights.map((value, at) => (at === index ? value + by : value)))
      expect(gradient[index]).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 8)
    }
  })
})

describe('the baseline of a site', () => {
  it('learns words, pairs of words and the share of a class', () => {
    const source = seededSource('texts')
    const filler = () => ['the', 'of', 'and', 'in', 'to'][uniformBelow(source, 5)]!
    const texts = Array.from({ length: 90 }, (_, at) => ({
      text: [filler(), ['not good', 'good', 'fine'][at % 3], filler(), filler()].join(' '),
      label: at % 3 === 0 ? 1 : 0,
    }))
    const classOf = fitTextBaseline(texts, 2)
    expect(['to not good in', 'the good of', 'and fine'].map(classOf)).toEqual([1, 0, 0])
    expect(classOf('words that it has never seen')).toBe(0)
  })
})
