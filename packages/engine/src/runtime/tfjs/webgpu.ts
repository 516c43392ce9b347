import { FedsvdError } from '@fedsvd/core/errors'
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core'
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
  runWebGPUProgram(program: object, inputs: readonly TensorInfo[], dtype: string): TensorInfo
}

/** TensorFlow.js on WebGPU: waits for all that was submitted, and throws the first error that the device reported. */
export interface WebGpuTf {
  readonly tf: Tf
  readonly settled: () => Promise<void>
}

/** One for the thread: a second instance of Dawn would open the device a second time. */
let opened: Promise<WebGpuTf> | undefined

/**
 * TensorFlow.js on WebGPU in Node: the npm packages `webgpu` (Dawn) and `@tensorflow/tfjs-backend-webgpu`, which a site adds.
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
      got: 'none',
      remedy: 'Install the Vulkan driver of the device (on Linux also libvulkan1), or choose another runtime.',
    })
  }
  provideNavigator(gpu)
  const tf = await import('@tensorflow/tfjs-core')
  tf.enableProdMode()
  await loadInstalled('@tensorflow/tfjs-backend-webgpu', load)
  await tf.setBackend('webgpu')
  correctCast(tf)
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
      remedy: 'Look at the driver and at the memory of the device, or choose another runtime.',
    })
  }
}

/**
 * Replaces the backend's Cast from bool and int32 to float32, which relabels the bytes and converts nothing: 1 becomes
 * 1.4e-45. A program that copies reads by the type of its input and writes by that of its output.
 */
function correctCast(tf: Tf): void {
  const original = tf.getKernel('Cast', 'webgpu')
  const kernelFunc: KernelFunc = (args) => {
    const x = args.inputs.x as TensorInfo
    const isRelabelled = args.attrs?.dtype === 'float32' && (x.dtype === 'int32' || x.dtype === 'bool')
    if (!isRelabelled || tf.util.sizeFromShape(x.shape) === 0) return original.kernelFunc(args)
    return (args.backend as WebGpuBackend).runWebGPUProgram(copyProgram(x.shape), [x], 'float32')
  }
  tf.unregisterKernel('Cast', 'webgpu')
  tf.registerKernel({ ...original, kernelFunc })
}

const WORKGROUP = 128
/** Workgroups that WebGPU allows along one dimension. */
const MAX_WORKGROUPS = 65_535

/** A program of the backend, in the form that its own unary operators have. */
function copyProgram(shape: readonly number[]): object {
  const groups = Math.ceil(shape.reduce((product, size) => product * size, 1) / WORKGROUP)
  const side = Math.ceil(Math.sqrt(groups))
  return {
    variableNames: ['A'],
    size: true,
    workgroupSize: [WORKGROUP, 1, 1],
    outputShape: [...shape],
    dispatchLayout: { x: shape.map((_, axis) => axis) },
    dispatch: groups <= MAX_WORKGROUPS ? [groups, 1, 1] : [side, Math.ceil(groups / side), 1],
    shaderKey: 'fedsvd_copy',
    getUserCode: () => `
      fn main(index : i32) {
        if (index < uniforms.size) {
          setOutputAtIndex(index, getAByOutputIndex(index));
        }
      }
    `,
  }
}
