import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

/** Where Debian's chromium has a Vulkan loader and SwiftShader, which computes on the CPU. */
const CHROMIUM = '/usr/lib/chromium'

/**
 * Lets the tests of WebGPU run without a GPU: where the npm package `webgpu` is installed and no Vulkan driver is
 * named, the software adapter of Debian's chromium is. A loader reads these variables when a process starts, so this is
 * for its parent.
 */
export function useSoftwareAdapter(environment: NodeJS.ProcessEnv = process.env): void {
  const driver = path.join(CHROMIUM, 'vk_swiftshader_icd.json')
  if (environment.VK_ICD_FILENAMES || !existsSync(driver) || !hasWebGpu()) return
  environment.VK_ICD_FILENAMES = driver
  environment.LD_LIBRARY_PATH = [CHROMIUM, environment.LD_LIBRARY_PATH].filter(Boolean).join(':')
}

function hasWebGpu(): boolean {
  try {
    createRequire(import.meta.url).resolve('webgpu')
    return true
  } catch {
    return false
  }
}
