/**
 * Runs before the install script of onnxruntime-node, which on Linux x64 downloads CUDA libraries of some hundred
 * megabytes from another host unless files of their names are there. Empty ones are put there: nothing loads them but
 * the provider `cuda`. Whoever wants it installs with ONNXRUNTIME_NODE_INSTALL=cuda12, which replaces them.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const CUDA = ['cuda', 'shared', 'tensorrt'].map((part) => `libonnxruntime_providers_${part}.so`)

if (process.env.ONNXRUNTIME_NODE_INSTALL === undefined && process.env.ONNXRUNTIME_NODE_INSTALL_CUDA === undefined) {
  const folder = librariesOf('linux', 'x64')
  for (const file of CUDA.map((name) => path.join(folder, name))) {
    if (existsSync(folder) && !existsSync(file)) writeFileSync(file, '')
  }
}

function librariesOf(platform, arch) {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
  return path.join(path.dirname(manifest), 'bin/napi-v6', platform, arch)
}
