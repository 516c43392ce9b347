import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

/** What the tests of one file said. */
export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly test: string }
  /** The break is one that no compiler takes. */
  | { readonly kind: 'not compiled' }
  | { readonly kind: 'endless' }

export interface TestRun {
  readonly verdict: Verdict
  readonly seconds: number
}

interface Report {
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/** Process groups of the tests under way: none outlives the run. */
const running = new Set<number>()
process.once('exit', () => {
  for (const group of running) process.kill(-group, 'SIGKILL')
})

const NOT_COMPILED = /^(Transform failed|SyntaxError)/

/** The tests of one file in a copy of the tree, up to the first that fails. */
export async function runTests(file: string, folder: string, limitSeconds: number): Promise<TestRun> {
  const report = join(folder, 'report.json')
  rmSync(report, { force: true })
  const started = performance.now()
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs')
  const flags = ['--bail', '1', '--maxWorkers', '1', '--reporter', 'json', '--outputFile', report]
  const child = spawn(process.execPath, [vitest, 'run', file, ...flags], {
    cwd: folder,
    stdio: 'ignore',
    detached: true,
  })
  running.add(child.pid!)
  let isEndless = false
  const timer = setTimeout(() => {
    isEndless = true
    process.kill(-child.pid!, 'SIGKILL')
  }, 1_000 * limitSeconds)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  running.delete(child.pid!)
  const seconds = (performance.now() - started) / 1_000
  if (isEndless) return { verdict: { kind: 'endless' }, seconds }
  return { verdict: code === 0 ? { kind: 'passed' } : failureIn(report), seconds }
}

function failureIn(path: string): Verdict {
  const { testResults } = JSON.parse(readFileSync(path, 'utf8')) as Report
  if (testResults.some(({ message }) => NOT_COMPILED.test(message))) return { kind: 'not compiled' }
  const failed = testResults.flatMap((file) => file.assertionResults).find(({ status }) => status === 'failed')
  return { kind: 'failed', test: failed?.fullName ?? 'what the file prepares for its tests' }
}
