import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../packages/testing/src/server/index.ts'
import { program } from '../src/main.ts'

const FEDSVD = fileURLToPath(new URL('../bin/fedsvd.mjs', import.meta.url))
const RECORDER = new URL('record-loaded.mjs', import.meta.url).href

/** Commander, the shell of the commands, and the catalogue of errors. */
const MOST_FOR_HELP = 15

/** Every file that a command loads, once. */
async function loadedBy(args: readonly string[], input = ''): Promise<readonly string[]> {
  await using folder = await temporaryFolder()
  const file = path.join(folder.path, 'loaded')
  const child = spawn(process.execPath, ['--import', RECORDER, FEDSVD, ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, LOADED: file },
  })
  child.stdin.end(input)
  expect(await once(child, 'close')).toEqual([0, null])
  return [...new Set((await readFile(file, 'utf8')).split('\n').filter((line) => line !== ''))]
}

/** Names of the packages of others among these files. */
function packagesOf(files: readonly string[]): readonly string[] {
  const names = files.map((file) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1])
  return [...new Set(names.filter((name) => name !== undefined))].sort()
}

describe('what a command loads', () => {
  it('is next to nothing for --help and --version', async () => {
    for (const option of ['--help', '--version']) {
      const files = await loadedBy([option])
      expect(files.length).toBeLessThanOrEqual(MOST_FOR_HELP)
      expect(packagesOf(files)).toEqual(['commander'])
    }
  })

  it('is core alone for the accountant', async () => {
    const request = JSON.stringify({ events: [{ sampleRate: 0.01, noiseMultiplier: 1, steps: 10 }], delta: 1e-5 })
    const accountant = ['@bufbuild/protobuf', 'commander', 'fft.js', 'seedrandom', 'zod']
    for (const files of [
      await loadedBy(['account', '--json'], request),
      await loadedBy(['plan', '--records', '1500', '--lot', '256', '--epsilon', '6']),
    ]) {
      expect(accountant).toEqual(expect.arrayContaining([...packagesOf(files)]))
    }
  })

  it('is nothing of a coordinator for the commands of a site, whose image has none', async () => {
    const list = await program(() => false)
    const ofCoordinators = ['demo', 'serve', 'backup', 'restore']
    const ofSites = list.commands.map((command) => command.name()).filter((name) => !ofCoordinators.includes(name))
    expect(ofSites).toContain('join')
    for (const name of ofSites) {
      const packages = packagesOf(await loadedBy([name, '--help']))
      for (const ofServer of ['express', 'socket.io', '@prisma/client', 'pg'])
        expect(packages, name).not.toContain(ofServer)
    }
  })

  it('is seen by this test: serve loads a web server', async () => {
    expect(packagesOf(await loadedBy(['serve', '--help']))).toContain('express')
  })
})

describe('the list of commands', () => {
  it('calls each as it calls itself', async () => {
    const [listed, loaded] = [await program(() => false), await program()]
    expect(loaded.commands.map((command) => command.name())).toEqual(listed.commands.map((command) => command.name()))
  })
})
