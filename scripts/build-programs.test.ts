import { cp, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { BUILD, builtProgram } from '../apps/cli/bin/programs.mjs'

const PROGRAMS = [
  'apps/cli/src/main.ts',
  'apps/server/src/main.ts',
  'packages/testing/src/server/coordinator-program.ts',
]

describe('built programs', () => {
  it('are there for the tests, and name their sources', async () => {
    for (const program of PROGRAMS) expect(builtProgram(program)?.href).toMatch(/\/build\/[0-9a-f]{16}\/[\w-]+\.js$/)
    expect(builtProgram('apps/cli/src/none.ts')).toBeUndefined()
    const { inputs } = JSON.parse(await readFile(new URL('inputs.json', BUILD), 'utf8')) as { inputs: [string][] }
    expect(inputs.map(([path]) => path)).toContain('packages/core/src/privacy/clip.ts')
  })

  it('are for every user of the machine who may read the folder', async () => {
    const mode = async (place: URL) => (await stat(place)).mode & 0o777
    const built = new URL('.', builtProgram('apps/cli/src/main.ts'))
    expect(await mode(built)).toBe(await mode(BUILD))
  })

  it('are used as long as no source has changed, and no longer', async () => {
    const root = await mkdtemp(join(tmpdir(), 'fedsvd-built-'))
    const source = join(root, 'packages', 'source.ts')
    const build = join(root, 'apps/server/build')
    for (const folder of ['packages', 'apps/cli/bin', 'apps/server/build']) {
      await mkdir(join(root, folder), { recursive: true })
    }
    await cp(new URL('../apps/cli/bin/programs.mjs', import.meta.url), join(root, 'apps/cli/bin/programs.mjs'))
    const copy = (await import(
      /* @vite-ignore */ pathToFileURL(join(root, 'apps/cli/bin/programs.mjs')).href
    )) as typeof import('../apps/cli/bin/programs.mjs')
    const found = () => copy.builtProgram('main.ts')
    expect(found()).toBeUndefined() // not built

    await writeFile(source, 'one')
    const { size, mtimeMs } = await stat(source)
    const list = { entries: { 'main.ts': 'a/main.js' }, inputs: [['packages/source.ts', size, mtimeMs]] }
    await writeFile(join(build, 'inputs.json'), JSON.stringify(list))
    expect(found()).toBeUndefined() // not to be read
    await mkdir(join(build, 'a'))
    await writeFile(join(build, 'a/main.js'), '')
    expect(found()?.href).toBe(pathToFileURL(join(build, 'a/main.js')).href)

    await utimes(source, 1, 1)
    expect(found()).toBeUndefined() // another time
    await writeFile(source, 'longer')
    await utimes(source, mtimeMs / 1000, mtimeMs / 1000)
    expect(found()).toBeUndefined() // another size
    await rm(source)
    expect(found()).toBeUndefined()
    await rm(root, { recursive: true })
  })
})
