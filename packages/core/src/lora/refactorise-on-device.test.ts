import { hostDevice } from '@fedsvd/testing/core/host-device'
import { layersOf, refactoriseContract } from '@fedsvd/testing/core/refactorise-contract'
import { describe, expect, it } from 'vitest'
import type { DeviceStack, LinearAlgebraDevice } from '../linalg/index.ts'
import { DEVICE_TOLERANCES } from './device-factors.ts'
import { refactorise } from './refactorise.ts'
import { refactoriseOnDevice } from './refactorise-on-device.ts'

refactoriseContract('the exact route', async () => ({
  refactorise: async (schema, state) => ({ ...refactorise(schema, state), fallbacks: [] }),
  product: 1e-7,
  orthonormality: 1e-7,
  mayFallBack: false,
}))

for (const precision of ['float64', 'float32'] as const) {
  const device = hostDevice(precision, 8 * 96 * 4 * 2)
  refactoriseContract(`Gram matrices in ${precision}`, async () => ({
    refactorise: (schema, state) => refactoriseOnDevice(device, schema, state),
    ...DEVICE_TOLERANCES[precision],
    mayFallBack: true,
  }))
}

describe('a device', () => {
  const layers = layersOf({ rank: 2, dIn: 5, dOut: 4 }, [
    { a: [1, 2, 0, 1, 0, 0, 1, 3, 0, 1], b: [1, 2, 3, 4, 5, 6, 7, 9] },
    { a: [0, 2, 1, 1, 0, 5, 1, 3, 0, 1], b: [1, 0, 3, 4, 2, 6, 7, 9] },
  ])

  /** A device of float64 that answers in its own way. */
  const faulty = (changed: (stack: DeviceStack) => Partial<DeviceStack>): LinearAlgebraDevice => {
    const sound = hostDevice('float64')
    return {
      ...sound,
      upload: async (shape, data) => {
        const stack = await sound.upload(shape, data)
        return { ...stack, ...changed(stack) }
      },
    }
  }

  it.each<[string, (stack: DeviceStack) => Partial<DeviceStack>]>([
    ['Gram matrices are off', (stack) => ({ gram: async () => (await stack.gram()).map((value) => 1.001 * value) })],
    ['Gram matrices are nothing', (stack) => ({ gram: async () => (await stack.gram()).fill(0) })],
    ['Gram matrices are no numbers', (stack) => ({ gram: async () => (await stack.gram()).fill(Number.NaN) })],
    ['products do nothing', (stack) => ({ times: async () => stack })],
    ['products are another matrix', (stack) => ({ times: (right) => stack.times(right.toReversed()) })],
  ])('whose %s is found out, and the exact route gives the factors', async (_, changed) => {
    const result = await refactoriseOnDevice(faulty(changed), layers.schema, layers.state)
    const exact = refactorise(layers.schema, layers.state)
    expect(result.fallbacks).toEqual(['layer.0', 'layer.1'])
    expect(result.state).toEqual(exact.state)
    expect(result.spectra).toEqual(exact.spectra)
  })

  it('has nothing left to keep afterwards, also where it failed half-way', async () => {
    const device = hostDevice('float32')
    await refactoriseOnDevice(device, layers.schema, layers.state)
    expect(device.alive()).toBe(0)
    let products = 0
    const failing: LinearAlgebraDevice = {
      ...device,
      upload: async (shape, data) => {
        const stack = await device.upload(shape, data)
        return {
          ...stack,
          times: async (right) => {
            products += 1
            if (products === 2) throw new Error('out of memory')
            return await stack.times(right)
          },
        }
      },
    }
    await expect(refactoriseOnDevice(failing, layers.schema, layers.state)).rejects.toThrow('out of memory')
    expect(device.alive()).toBe(0)
  })
})
