import { describe, expect, it } from 'vitest'
import { qualityText } from './export.ts'

describe('what an export says about quality', () => {
  it('is accuracy, and for tags the F1 by its full name', () => {
    expect(qualityText({ accuracy: 0.95, loss: 0.2, records: 40 })).toBe('accuracy 0.9500 on 40 public records')
    expect(qualityText({ accuracy: 0.95, loss: 0.2, records: 40, microF1: 0.625 })).toBe(
      'accuracy 0.9500, micro-F1 over all tags but O 0.6250 on 40 public records',
    )
  })
})
