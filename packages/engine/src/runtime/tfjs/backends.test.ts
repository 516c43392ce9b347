import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { loadFastestTfjsBackend, loadTfjsBackend } from './backends.ts'
import type { ImportPackage } from './import-package.ts'

const absent = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
const broken = new Error('libtensorflow.so.2: cannot open shared object file\nat dlopen')

/** Packages by name: the module, or the error with which its import fails. */
const installed =
  (packages: Readonly<Record<string, unknown>>): ImportPackage =>
  async (name) => {
    const found = packages[name] ?? absent
    if (found instanceof Error) throw found
    return found
  }

const [gpu, cpu] = [{ name: 'gpu' }, { name: 'cpu' }]

describe('TensorFlow.js with TensorFlow’s own library', () => {
  it('is taken from the GPU package where both are installed, however the package exports', async () => {
    const both = installed({ '@tensorflow/tfjs-node-gpu': { default: gpu }, '@tensorflow/tfjs-node': cpu })
    expect(await loadFastestTfjsBackend(both)).toEqual({ tf: gpu, name: 'tensorflow', source: 'node-gpu' })
  })

  it('is taken from the CPU package where that alone is installed', async () => {
    const one = installed({ '@tensorflow/tfjs-node': cpu })
    expect(await loadFastestTfjsBackend(one)).toEqual({ tf: cpu, name: 'tensorflow', source: 'node' })
  })

  it('is missed with the command that adds it, and never replaced by a slow backend', async () => {
    const loading = loadFastestTfjsBackend(installed({}))
    await expect(loading).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
    await expect(loading).rejects.toThrow(/npm install @tensorflow\/tfjs-node-gpu/)
  })

  it('that is installed and does not load is reported, not passed over', async () => {
    const both = installed({ '@tensorflow/tfjs-node-gpu': broken, '@tensorflow/tfjs-node': cpu })
    const loading = loadFastestTfjsBackend(both)
    await expect(loading).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE', cause: broken })
    await expect(loading).rejects.toThrow(/libtensorflow\.so\.2: cannot open shared object file"\. Mend/)
  })

  it('is not among the dependencies, and asking for it here says so', async () => {
    await expect(loadTfjsBackend('node-gpu')).rejects.toThrow(/tfjs-node-gpu to load, got no such package/)
  })
})

describe('an install of fedsvd', () => {
  const DEVICE_PACKAGES = [
    '@tensorflow/tfjs-node-gpu',
    '@tensorflow/tfjs-node',
    '@tensorflow/tfjs-backend-webgpu',
    'webgpu',
  ]
  const read = async (file: string) =>
    JSON.parse(await readFile(new URL(`../../../../../${file}`, import.meta.url), 'utf8'))

  it('brings none of the packages of a device: they are optional peers, and the lock file does not have them', async () => {
    const { dependencies, peerDependencies, peerDependenciesMeta } = await read('packages/engine/package.json')
    const { packages } = await read('package-lock.json')
    for (const name of DEVICE_PACKAGES) {
      expect(dependencies).not.toHaveProperty([name])
      expect(peerDependencies).toHaveProperty([name])
      expect(peerDependenciesMeta[name]).toEqual({ optional: true })
      expect(Object.keys(packages).filter((folder) => folder.endsWith(`node_modules/${name}`))).toEqual([])
    }
  })
})
