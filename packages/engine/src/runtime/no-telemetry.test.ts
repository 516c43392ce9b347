import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'

const here = fileURLToPath(new URL('.', import.meta.url))
const home = await mkdtemp(path.join(tmpdir(), 'fedsvd-home-'))
afterAll(() => rm(home, { recursive: true }))

/** A site's process in small: it makes a runner, runs it, and ends. */
const PROGRAM = `
  const { BATCH, GraphBuilder, ops } = await import('@fedsvd/core/autodiff')
  const { createOnnxRunner } = await import('./onnx-runner.ts')
  const g = new GraphBuilder()
  const graph = g.build({ y: ops.tanh(g, g.input('x', 'float32', [BATCH])) })
  const runner = await createOnnxRunner(graph, { name: 'quiet', threads: 1 })
  await runner.run({ x: { shape: [1], data: Float32Array.of(1) } })
  await runner[Symbol.asyncDispose]()
`

it('onnxruntime leaves nothing in the home of who runs it, neither an identifier nor events to send', async () => {
  // and no sign of a test or of CI
  const env = { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: home, TMPDIR: home }
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', PROGRAM]
  await promisify(execFile)(process.execPath, args, { cwd: here, env })
  const left = await readdir(home, { recursive: true })
  expect(left.filter((name) => !name.startsWith('tsx-') && !name.startsWith('node-compile-cache'))).toEqual([])
}, 60_000)
