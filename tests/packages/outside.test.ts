import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtDashboard } from '../../packages/testing/src/dashboard/index.ts'
import { temporaryFolder } from '../../packages/testing/src/server/index.ts'
import { buildPackages } from '../../scripts/packages/build.ts'
import { ROOT } from '../../scripts/packages/published.ts'

const MINUTES = 60_000
/** What a runtime is held against at each start. */
const SELF_TEST = 'package/dist/training/vectors/known-answers.json'
/** The examples that use the packages from code; the others extend a coordinator or a client. */
const OURS = ['federation-in-one-process/*.mjs', 'account-and-calibrate/*.mjs']
const REGISTRY_ANSWERS = run(ROOT, 'npm', ['ping']).status === 0
const REASON = REGISTRY_ANSWERS ? '' : ' (skipped: the registry of npm does not answer)'

function run(folder: string, command: string, args: readonly string[], input = '') {
  // Variables of the npm that runs this test are not for the one that installs.
  const outside = Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_ENV$|^ONNXRUNTIME_/i.test(name))
  return spawnSync(command, args, { cwd: folder, encoding: 'utf8', env: Object.fromEntries(outside), input })
}

/** What a command prints; one that fails fails the test with what it printed. */
function output(folder: string, command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = run(folder, command, args)
  expect(status, `${command} ${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
  return stdout
}

describe.skipIf(!REGISTRY_ANSWERS)(`the packages outside the repository${REASON}`, () => {
  it('are installed by npm alone, and work in Node 22 and 24', { timeout: 15 * MINUTES }, async () => {
    await builtDashboard()
    await using out = await temporaryFolder()
    const tarballs = Object.values(buildPackages(path.join(out.path, 'packages')))
    const folder = path.join(out.path, 'outside')
    cpSync(path.join(ROOT, 'examples'), folder, { recursive: true })
    writeFileSync(path.join(folder, 'package.json'), '{ "name": "outside", "version": "1.0.0", "private": true }')
    const nodes = ['node-22@npm:node@22', 'node-24@npm:node@24']
    const tools = ['publint@0.3.25', '@arethetypeswrong/cli@0.18.5', 'typescript@5', '@types/node@22']
    const installed = run(folder, 'npm', ['install', '--prefer-offline', ...tarballs, ...nodes, ...tools])
    expect(installed.status, installed.stderr).toBe(0)
    expect(installed.stderr).not.toMatch(/EBADENGINE|Unknown|CUDA|nuget/)

    for (const tarball of tarballs) {
      const files = output(folder, 'tar', '-tzf', tarball).split('\n')
      expect(files.filter((file) => file !== SELF_TEST && /\.test\.|vectors|\/src\/|(?<!\.d)\.ts$/.test(file))).toEqual(
        [],
      )
      output(folder, 'npx', 'publint', '--strict', tarball)
      output(folder, 'npx', 'attw', '--profile', 'esm-only', tarball)
    }

    expect(output(folder, 'npx', 'fedsvd', '--help')).toContain('Usage: fedsvd')
    for (const version of ['node-22', 'node-24']) {
      const node = path.join(folder, 'node_modules', version, 'bin/node')
      expect(output(folder, node, '--version')).toMatch(`v${version.slice(-2)}.`)
      const fedsvd = path.join(folder, 'node_modules/fedsvd/bin/fedsvd.mjs')
      expect(output(folder, node, fedsvd, '--version').trim()).toBe(versionOf('apps/cli'))
      expect(output(folder, node, 'account-and-calibrate/account.mjs')).toMatch(/PLD: epsilon at most \d/)
      const face = "import('fedsvd').then(({ startFederation }) => console.log(typeof startFederation))"
      expect(output(folder, node, '--eval', face)).toBe('function\n')
    }
    const node = path.join(folder, 'node_modules/node-24/bin/node')
    expect(output(folder, node, 'federation-in-one-process/federation.mjs')).toMatch(/after 2 rounds/)
    expect(output(folder, 'npx', 'fedsvd', 'demo', '--quick')).toMatch(/accuracy/)

    const types = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      noEmit: true,
      checkJs: true,
      skipLibCheck: true,
    }
    const project = { compilerOptions: { ...types, lib: ['es2023', 'esnext.disposable'], types: ['node'] } }
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ ...project, include: OURS }))
    output(folder, 'npx', 'tsc', '-p', 'tsconfig.json')
  })
})

function versionOf(source: string): string {
  return (JSON.parse(readFileSync(path.join(ROOT, source, 'package.json'), 'utf8')) as { version: string }).version
}
