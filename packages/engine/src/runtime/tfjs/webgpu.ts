import { FedsvdError } from '@fedsvd/core/errors'
import type { ImportPackage } from './import-package.ts'
import { loadInstalled } from './import-package.ts'
import type { Tf } from './operators.ts'

/** What the npm package `webgpu` (Dawn for Node) exports. */
interface Dawn {
  readonly create: (options: readonly string[]) => Gpu
  readonly globals: Readonly<Record<string, unknown>>
}

interface Gpu {
  requestAdapter(): Promise<object | null>
}

/** The part of TensorFlow.js's WebGPU backend that is used here. */
interface WebGpuBackend {
  readonly device: {
    addEventListener(event: 'uncapturederror', listener: (event: { readonly error: Error }) => void): void
    readonly lost: Promise<{ readonly message: string }>
    readonly queue: { onSubmittedWorkDone(): Promise<void> }
  }
}

/** TensorFlow.js on WebGPU: waits for all that was submitted, and throws the first error that the device reported. */
export interface WebGpuTf {
  readonly tf: Tf
  readonly settled: () => Promise<void>
}

/** One for the thread: a second instance of Dawn would open the device a second time. */
let opened: Promise<WebGpuTf> | undefined

/**
 * TensorFlow.js on WebGPU in Node: the npm packages `webgpu` (Dawn) and `@tensorflow/tfjs-backend-webgpu`, which a site
 * adds.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where a package is missing or does not load, or there is no adapter
 */
export function openWebGpu(load: ImportPackage): Promise<WebGpuTf> {
  opened ??= open(load).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open(load: ImportPackage): Promise<WebGpuTf> {
  const dawn = (await loadInstalled('webgpu', load)) as Dawn
  Object.assign(globalThis, dawn.globals)
  const gpu = dawn.create([])
  if ((await gpu.requestAdapter()) === null) {
    throw new FedsvdError('RUNTIME_UNAVAILABLE', {
      expected: 'a WebGPU adapter',
      got: 'no adapter on this machine',
      remedy: 'Install the Vulkan driver of the device (on Linux also libvulkan1), or compute on another device.',
    })
  }
  provideNavigator(gpu)
  const tf = await import('@tensorflow/tfjs-core')
  tf.enableProdMode()
  await loadInstalled('@tensorflow/tfjs-backend-webgpu', load)
  // Otherwise short tensors are computed on the host, by other kernels than those that a test of the device sees.
  tf.env().set('WEBGPU_CPU_FORWARD', false)
  await tf.setBackend('webgpu')
  return { tf, settled: watch(tf.backend() as unknown as WebGpuBackend) }
}

/** Node has a navigator of its own from version 21 on. */
function provideNavigator(gpu: Gpu): void {
  const property = { value: gpu, configurable: true, writable: true }
  const { navigator } = globalThis as { readonly navigator?: object }
  if (navigator !== undefined) Object.defineProperty(navigator, 'gpu', property)
  else {
    const value = { gpu, userAgent: 'node', platform: process.platform }
    Object.defineProperty(globalThis, 'navigator', { value, configurable: true, writable: true })
  }
}

/** A command that the device refuses leaves its result as it was, and nothing else tells. */
function watch({ device }: WebGpuBackend): () => Promise<void> {
  let failure: string | undefined
  device.addEventListener('uncapturederror', ({ error }) => {
    failure ??= error.message
  })
  void device.lost.then(({ message }) => {
    failure ??= `the device was lost: ${message}`
  })
  return async () => {
    await device.queue.onSubmittedWorkDone()
    if (failure === undefined) return
    throw new FedsvdError('RUNTIME_UNAVAILABLE', {
      expected: 'every command to succeed on WebGPU',
      got: `"${failure.split('\n', 1)[0]}"`,
      remedy: 'Look at the driver and at the memory of the device, or compute on another device.',
    })
  }
}
