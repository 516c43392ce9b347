import type { LinearAlgebraDevice } from '@fedsvd/core/linalg'
import { type AdapterSchema, type AdapterState, DEVICE_TOLERANCES, refactoriseOnDevice } from '@fedsvd/core/lora'
import { refactoriseContract } from '@fedsvd/testing/core/refactorise-contract'
import { webGpuHere } from '@fedsvd/testing/engine/tfjs/webgpu-here'
import { describe, expect, it } from 'vitest'
import { openDevice } from './open-device.ts'
import { addedSegments, segmentsOf } from './segments.ts'

const route = (device: LinearAlgebraDevice) => ({
  refactorise: (schema: AdapterSchema, state: AdapterState) => refactoriseOnDevice(device, schema, state),
  ...DEVICE_TOLERANCES[device.precision],
  mayFallBack: true,
})

const openFor = async (name: Parameters<typeof openDevice>[0]) => route((await openDevice(name, { threads: 1 }))!)

refactoriseContract('onnxruntime in float64', () => openFor('cpu'), [64, 256])
refactoriseContract('TensorFlow.js on its CPU backend', () => openFor('tfjs-cpu'))
refactoriseContract('TensorFlow.js on wasm', () => openFor('tfjs-wasm'), [64, 256])

const missing = await webGpuHere()
if (missing === undefined) {
  refactoriseContract('TensorFlow.js on WebGPU', () => openFor('tfjs-webgpu'), [64, 256])
  refactoriseContract('onnxruntime on WebGPU', () => openFor('webgpu'))
}
describe.skipIf(missing)(`devices of WebGPU${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('say what they are', async () => {
    expect((await openDevice('tfjs-webgpu', { threads: 1 }))!.name).toBe('tfjs-webgpu')
  })
})

describe('a Gram matrix in segments', () => {
  it.each([
    [1, 1],
    [512, 1],
    [768, 2],
    [4096, 8],
    [1021, 1],
  ])('of %i rows has %i', (rows, segments) => expect(segmentsOf(rows)).toBe(segments))

  it('is the sum of its parts, matrix by matrix', () => {
    expect(Array.from(addedSegments([1, 2, 10, 20, 100, 200, 1000, 2000], 2, 2))).toEqual([11, 22, 1100, 2200])
  })
})

it('a device that is not there is missed before anything is computed', async () => {
  await expect(openDevice('tfjs-node-gpu', { threads: 1 })).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
})
