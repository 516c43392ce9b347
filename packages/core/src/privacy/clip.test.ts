import { contributionOf } from '@fedsvd/testing/core/clipped-sums'
import { describe, expect, it } from 'vitest'
import { fillGaussian, seededSource } from '../random/index.ts'
import { flatNorm, type NamedTensor } from '../tensor/index.ts'
import { gridFactor, requireClipNorm, roundTo } from './clip.ts'
import { CLIP_TARGET, GRID_BITS, gridOf } from './sensitivity.ts'

const tensor = (name: string, values: readonly number[]): NamedTensor => ({
  name,
  shape: [values.length],
  data: Float32Array.from(values),
})
const flat = (integers: readonly Float64Array[]) => integers.flatMap((part) => [...part])

describe('the clip', () => {
  it('scales by clipNorm over the one norm of all tensors: 3 and 4 make 5', () => {
    const integers = flat(contributionOf([tensor('a', [3, 0]), tensor('b', [0, 4])], 2))
    expect(integers).toEqual([0.6, 0, 0, 0.8].map((share) => Math.round(share * CLIP_TARGET)))
  })

  it('leaves what is short enough alone, and never lengthens', () => {
    expect(gridFactor(0.5, 0.500001)).toBe(2 ** GRID_BITS / 0.500001)
    expect(gridFactor(0.5, 7)).toBe(2 ** GRID_BITS / 7)
    expect(gridFactor(1e-40, 7)).toBe(2 ** GRID_BITS / 7)
  })

  it('no trained tensor is outside the norm: a large one anywhere shrinks all the others', () => {
    const names = ['layer.0.lora_B', 'layer.1.lora_B', 'head.weight', 'head.bias']
    for (const loud of names) {
      const integers = contributionOf(
        names.map((name) => tensor(name, [name === loud ? 1e6 : 1])),
        1,
      )
      expect(Math.hypot(...flat(integers))).toBeCloseTo(2 ** GRID_BITS, 0)
      for (const [index, name] of names.entries()) if (name !== loud) expect(integers[index]![0]).toBeLessThanOrEqual(1)
    }
  })

  it('trap: a zero-norm gradient divides by zero. It stays zero', () => {
    expect(flat(contributionOf([tensor('a', [0, 0, -0])], 1))).toEqual([0, 0, 0])
    expect(gridFactor(0, 1)).toBe(2 ** GRID_BITS)
  })

  it('holds at the ends of float32, where squares overflow it or vanish', () => {
    const large = contributionOf([tensor('a', [3e38, -3e38]), tensor('b', [1e-45])], 1)
    expect(Math.hypot(...flat(large))).toBeCloseTo(2 ** GRID_BITS, 0)
    // Where a thread takes denormals for zero, as after an onnxruntime session, the record contributes nothing.
    const denormals = new Float32Array([2e-45, -2e-45, 3e-40])
    const small = contributionOf([tensor('a', [...denormals])], 1e-46)
    expect(Math.hypot(...flat(small))).toBeCloseTo(denormals.some((value) => value !== 0) ? 2 ** GRID_BITS : 0, 0)
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-300, 1e300])('refuses clipNorm %d', (clipNorm) => {
    expect(() => requireClipNorm(clipNorm)).toThrow('NOISE_INVALID')
    expect(() => contributionOf([tensor('a', [1])], clipNorm)).toThrow('NOISE_INVALID')
  })
})

describe('the grid', () => {
  it('adds the squares of its integers up exactly, wherever the small one stands beside the large ones', () => {
    const large = 2 ** 23 // 16 of them: squares of 2^50 in all, where float32 has steps of 2^27
    for (let at = 0; at < 17; at++) {
      const part = Float32Array.from({ length: 17 }, (_, i) => (i === at ? 1 : large))
      expect(roundTo(new Float64Array(17), 0, part, 1)).toBe(16 * large ** 2 + 1)
    }
  })

  it('has the clipped gradient in it, to half a grid unit', () => {
    const data = new Float32Array(500)
    fillGaussian(seededSource('gradient'), data)
    const gradient = [{ name: 'g', shape: [500], data }]
    const scale = (0.8 * (1 - 2 ** -20)) / flatNorm(gradient)
    for (const [i, integer] of contributionOf(gradient, 0.8)[0]!.entries()) {
      expect(Number.isInteger(integer)).toBe(true)
      expect(Math.abs(integer - (data[i]! * scale) / gridOf(0.8))).toBeLessThanOrEqual(0.5 + 1e-6)
    }
  })

  it('rounds ties to even, and a zero has no sign', () => {
    const integers = new Float64Array(9)
    const squares = roundTo(integers, 1, Float64Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 0.75, -0.25), 1)
    expect([...integers]).toEqual([0, 0, 2, 2, 0, -2, 1, 0, 0])
    expect(squares).toBe(13)
  })

  it('gives integers below 2^51, and above it squares beyond every bound', () => {
    const integers = new Float64Array(1)
    for (const value of [2 ** 51 - 1, -(2 ** 51) + 1, 2 ** 51 - 1.5]) {
      roundTo(integers, 0, Float64Array.of(value), 1)
      expect(Number.isInteger(integers[0])).toBe(true)
    }
    for (const value of [2 ** 51, -(2 ** 51) - 0.5, -(2 ** 52.5), 2 ** 60, 1e300, -1e300]) {
      expect(roundTo(integers, 0, Float64Array.of(value), 1)).toBeGreaterThan(2 ** 99)
    }
    expect(roundTo(integers, 0, Float64Array.of(Number.NaN), 1)).toBeNaN()
    expect(roundTo(integers, 0, Float64Array.of(Number.POSITIVE_INFINITY), 1)).not.toBeLessThan(2 ** 99)
  })
})
