import { classificationReport } from '@fedsvd/core/metrics'
import { describe, expect, it } from 'vitest'
import { evaluationText } from './evaluation-text.ts'

describe('an evaluation for people', () => {
  it('of tags counts words, has the micro-F1 and no interval, since words of a text depend on each other', () => {
    const labels = ['O', 'PER']
    const report = classificationReport({ logits: Float32Array.of(2, 0, 0, 2, 2, 0), labels: [0, 1, 1], classes: 2 })
    const text = evaluationText('tagger', {
      task: 'token-classification',
      labels,
      counts: 'words',
      texts: 1,
      ...report,
      microF1: 2 / 3,
    }).join('\n')
    expect(text).toContain('texts        1 (3 words)')
    expect(text).toMatch(/^accuracy {5}0\.6667$/m)
    expect(text).toContain('micro-F1     0.6667 over all tags but O')
    expect(text).toMatch(/^PER +1 +1$/m)
  })

  it('of a language model has perplexity', () => {
    const text = evaluationText('writer', {
      task: 'causal-lm',
      texts: 2,
      tokens: 10,
      accuracy: 0.25,
      loss: 1,
      perplexity: Math.E,
      majority: 0.1,
    }).join('\n')
    expect(text).toContain('perplexity   2.718 (cross-entropy 1.0000 nats a token)')
    expect(text).toContain('baseline     0.1000')
  })

  it('leaves the confusion of many labels to --json, and a figure empty that nothing decides', () => {
    const labels = Array.from({ length: 13 }, (_, index) => `label ${index}`)
    const logits = Float32Array.from({ length: 13 }, (_, index) => Number(index === 0))
    const report = classificationReport({ logits, labels: [0], classes: 13 })
    const text = evaluationText('many', {
      task: 'sequence-classification',
      labels,
      counts: 'texts',
      texts: 1,
      ...report,
    }).join('\n')
    expect(text).toContain('confusion of 13 labels: see --json')
    expect(text).toMatch(/^label 1 +0$/m)
  })
})
