import { describe, expect, it } from 'vitest'
import { fillGaussian, seededSource } from '../random/index.ts'
import { flatNorm, type NamedTensor } from '../tensor/index.ts'
import { clipFlat, gridContribution } from './clip.ts'
import { gridOf } from './sensitivity.ts'

const tensor = (name: string, values: readonly number[]): NamedTensor => ({
  name,
  shape: [values.length],
  data: Float32Array.from(values),
})

describe('clipFlat', () => {
  it('scales by clipNorm over the one norm of all tensors: 3 and 4 make 5', () => {
    const { tensors, norm, scale } = clipFlat([tensor('a', [3, 0]), tensor('b', [0, 4])], 2)
    expect(norm).toBe(5)
    expect(scale).toBe(2 / 5)
    expect([...tensors[0]!.data, ...tensors[1]!.data].map((value) => value * 5)).toEqual(
      [6, 0, 0, 8].map((value) => expect.closeTo(value, 5)),
    )
  })

  it('leaves what is short enough alone, and never lengthens', () => {
    const short = [tensor('a', [0.3, -0.4])]
    expect(clipFlat(short, 0.500001).tensors).toEqual(short)
    expect(clipFlat(short, 7).scale).toBe(1)
  })

  it('no trained tensor is outside the norm: a large one anywhere shrinks all the others', () => {
    const names = ['layer.0.lora_B', 'layer.1.lora_B', 'head.weight', 'head.bias']
    for (const loud of names) {
      const { tensors } = clipFlat(
        names.map((name) => tensor(name, [name === loud ? 1e6 : 1])),
        1,
      )
      expect(flatNorm(tensors)).toBeCloseTo(1, 6)
      for (const { name, data } of tensors) if (name !== loud) expect(Math.abs(data[0]!)).toBeLessThan(1e-5)
    }
  })

  it('trap: a zero-norm gradient divides by zero. It stays zero', () => {
    const { tensors, norm, scale } = clipFlat([tensor('a', [0, 0, 0])], 1)
    expect([norm, scale]).toEqual([0, 1])
    expect([...tensors[0]!.data]).toEqual([0, 0, 0])
    expect([...gridContribution([tensor('a', [0, 0])], 1)[0]!]).toEqual([0, 0])
    expect(clipFlat([], 1).norm).toBe(0)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'trap: %d passes the clip. It is refused',
    (bad) => {
      expect(() => clipFlat([tensor('a', [1]), tensor('b', [0, bad])], 1)).toThrow('NOT_FINITE')
      expect(() => clipFlat([tensor('a', [1]), tensor('b', [0, bad])], 1)).toThrow('in b')
      expect(() => gridContribution([tensor('a', [bad])], 1)).toThrow('NOT_FINITE')
    },
  )

  it('holds at the ends of float32, where squares overflow it', () => {
    const { tensors } = clipFlat([tensor('a', [3e38, -3e38]), tensor('b', [1e-45])], 1)
    expect(flatNorm(tensors)).toBeCloseTo(1, 6)
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses clipNorm %d', (clipNorm) => {
    expect(() => clipFlat([tensor('a', [1])], clipNorm)).toThrow('NOISE_INVALID')
    expect(() => gridContribution([tensor('a', [1])], clipNorm)).toThrow('NOISE_INVALID')
  })
})

describe('gridContribution', () => {
  it('is the clipped gradient in grid units, to half a unit', () => {
    const data = new Float32Array(500)
    fillGaussian(seededSource('gradient'), data)
    const gradient = [{ name: 'g', shape: [500], data }]
    const clipped = clipFlat(gradient, 0.8).tensors[0]!.data
    gridContribution(gradient, 0.8)[0]!.forEach((units, i) => {
      expect(Number.isInteger(units)).toBe(true)
      expect(Math.abs(units - clipped[i]! / gridOf(0.8))).toBeLessThan(0.51)
    })
  })

  it('rounds ties to even, as ONNX does', () => {
    const clipNorm = 2 ** 18 // one grid unit is 1
    const [units] = gridContribution([tensor('a', [0.5, 1.5, 2.5, -0.5, -1.5, 0.75, -0.25])], clipNorm)
    expect([...units!].map((value) => value + 0)).toEqual([0, 2, 2, 0, -2, 1, 0])
  })
})
