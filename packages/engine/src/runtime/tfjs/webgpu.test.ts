import { runnerContract } from '@fedsvd/testing/engine/runtime/runner-contract'
import { webGpuHere } from '@fedsvd/testing/engine/tfjs/webgpu-here'
import { describe, expect, it } from 'vitest'
import { loadRuntime } from '../load-runtime.ts'
import { loadTfjsBackend } from './backends.ts'

const missing = await webGpuHere()

if (missing === undefined) {
  runnerContract('tfjs on WebGPU', await loadRuntime({ threads: 1, runtime: 'tfjs-webgpu' }))
}

describe.skipIf(missing)(`TensorFlow.js on WebGPU${missing ? ` (skipped: ${missing})` : ''}`, () => {
  it('computes with what was no float by its value, although its Cast relabels the bytes of a bool and of an int32', async () => {
    const { tf, settled } = await loadTfjsBackend('webgpu')
    const size = 5000 // more than the backend computes on the host
    const counts = tf.range(0, size, 1, 'int32')
    const doubled = tf.add(counts, counts)
    const halves = await tf.mul(tf.cast(doubled, 'float32'), 0.5).data()
    expect(Array.from(halves)).toEqual(Array.from({ length: size }, (_, n) => n))
    const isOver = tf.greater(doubled, tf.scalar(size, 'int32'))
    const weights = await tf.mul(tf.cast(isOver, 'float32'), 0.25).data()
    expect(Array.from(weights).reduce((sum, value) => sum + value, 0)).toBe(0.25 * (size / 2 - 1))
    await settled!()
  })

  it('throws what the device reports and no command tells', async () => {
    const { tf, settled } = await loadTfjsBackend('webgpu')
    const { device } = tf.backend() as unknown as { device: { createBuffer(options: object): unknown } }
    device.createBuffer({ size: 16, usage: 0xffff })
    await expect(settled!()).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
  })
})
