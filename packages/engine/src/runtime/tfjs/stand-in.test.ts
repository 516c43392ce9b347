import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import util from 'node:util'
import { DEVICE_TOLERANCES, refactoriseOnDevice } from '@fedsvd/core/lora'
import { refactoriseContract } from '@fedsvd/testing/core/refactorise-contract'
import { runnerContract } from '@fedsvd/testing/engine/runtime/runner-contract'
import { afterAll, describe, expect, it } from 'vitest'
import { openDevice } from '../../linear-algebra/index.ts'
import { loadRuntime } from '../load-runtime.ts'
import { loadFastestTfjsBackend } from './backends.ts'
import { provideRemovedUtilities } from './node-utilities.ts'

/*
 * `@tensorflow/tfjs-node-gpu` cannot be installed where TensorFlow's library cannot be fetched. This package answers as
 * it does: CommonJS, the union of TensorFlow.js's functions, a backend named `tensorflow` that is registered and set
 * when it is loaded, and `util.isNullOrUndefined` in every operation. What it does not have is the device: its kernels
 * are the CPU backend's.
 */
const require = createRequire(import.meta.url)
const PACKAGE = `
  const util = require('node:util')
  const tf = require(${JSON.stringify(require.resolve('@tensorflow/tfjs-core'))})
  const { MathBackendCPU } = require(${JSON.stringify(require.resolve('@tensorflow/tfjs-backend-cpu'))})
  class NodeJSKernelBackend extends MathBackendCPU {}
  for (const kernel of tf.getKernelsForBackend('cpu')) {
    const kernelFunc = (args) => {
      if (util.isNullOrUndefined(args.inputs)) throw new Error('no inputs')
      return kernel.kernelFunc(args)
    }
    tf.registerKernel({ ...kernel, backendName: 'tensorflow', kernelFunc })
  }
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(), 3)
  if (!tf.setBackend('tensorflow')) throw new Error('Could not initialize TensorFlow backend.')
  Object.assign(exports, tf)
`

const folder = await mkdtemp(path.join(tmpdir(), 'fedsvd-site-'))
const home = path.join(folder, 'node_modules', '@tensorflow', 'tfjs-node-gpu')
await mkdir(home, { recursive: true })
await writeFile(
  path.join(home, 'package.json'),
  '{ "name": "@tensorflow/tfjs-node-gpu", "version": "4.22.0", "main": "index.js" }',
)
await writeFile(path.join(home, 'index.js'), PACKAGE)
const before = process.cwd()
process.chdir(folder)
// As on Node 23 and later.
Reflect.deleteProperty(util, 'isNullOrUndefined')
const backend = await loadFastestTfjsBackend()

afterAll(async () => {
  process.chdir(before)
  await rm(folder, { recursive: true })
})

runnerContract('tfjs by a stand-in for tfjs-node-gpu', await loadRuntime({ threads: 1, runtime: 'tfjs' }))

refactoriseContract('a stand-in for tfjs-node-gpu', async () => {
  const device = (await openDevice('tfjs', { threads: 1 }))!
  expect(device.name).toBe('tfjs-node-gpu')
  return {
    refactorise: (schema, state) => refactoriseOnDevice(device, schema, state),
    ...DEVICE_TOLERANCES[device.precision],
    mayFallBack: true,
  }
})

describe('the stand-in for tfjs-node-gpu', () => {
  it('is found in the folder that the process was started in, and computes on its own backend', () => {
    expect(backend).toMatchObject({ name: 'tensorflow', source: 'node-gpu' })
    expect(backend.tf.engine().backendName).toBe('tensorflow')
  })
})

describe('functions that Node has removed', () => {
  it('are put back where they are missing, and only there', () => {
    const kept = () => false
    const target: Record<string, (value: unknown) => boolean> = { isArray: kept }
    provideRemovedUtilities(target)
    expect(target.isArray).toBe(kept)
    expect([null, undefined, 0, ''].map(target.isNullOrUndefined!)).toEqual([true, true, false, false])
  })
})
