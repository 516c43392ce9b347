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

  it.each<[string, (values: Float32Array | Float64Array) => Float32Array | Float64Array]>([
    ['nothing', (values) => values.slice(0, 0)],
    ['one number', (values) => values.slice(0, 1)],
    ['the first layer alone', (values) => values.slice(0, values.length / 2)],
    ['a number too many', (values) => new Float64Array([...values, 0])],
  ])('that gives back %s of its Gram matrices or factors has failed', async (_, changed) => {
    const ofGrams = faulty((stack) => ({ gram: async () => Float64Array.from(changed(await stack.gram())) }))
    await expect(refactoriseOnDevice(ofGrams, layers.schema, layers.state)).rejects.toThrow(/numbers from the device/)
    for (const rows of [4, 5]) {
      const { upload, ...sound } = hostDevice('float64')
      const cutting = (stack: DeviceStack): DeviceStack => ({
        ...stack,
        times: async (right) => cutting(await stack.times(right)),
        read: async () => changed(await stack.read()),
      })
      const device: LinearAlgebraDevice = {
        ...sound,
        upload: async (shape, data) =>
          (shape.rows === rows ? cutting : (sent: DeviceStack) => sent)(await upload(shape, data)),
      }
      await expect(refactoriseOnDevice(device, layers.schema, layers.state)).rejects.toThrow(/numbers from the device/)
    }
  })

  it('that leaves the row space of A is found out, also where B is zero and no product shows it', async () => {
    const { schema, state } = layersOf({ rank: 1, dIn: 4, dOut: 3 }, [{ a: [3, 4, 0, 0], b: [0, 0, 0] }])
    const { upload, ...sound } = hostDevice('float64')
    const device: LinearAlgebraDevice = {
      ...sound,
      upload: async (shape, data) => {
        const stack = await upload(shape, data)
        const isA = shape.rows === 4
        return {
          ...stack,
          times: async (right) => (isA ? await upload(shape, Float32Array.of(0, 0, 1, 0)) : stack.times(right)),
        }
      },
    }
    const result = await refactoriseOnDevice(device, schema, state)
    expect(result.fallbacks).toEqual(['layer.0'])
    expect(result.state).toEqual(refactorise(schema, state).state)
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
