import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const HERE = import.meta.dirname
const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
const FENCE = join(HERE, 'private-update.test-d.ts')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-fence-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What tsc says about a changed copy of the file, with the settings of the package; an ES module by its extension. */
async function compile(name: string, source: string): Promise<string> {
  const file = join(folder, `${name}.mts`)
  await writeFile(file, source.replaceAll("from '.", `from '${HERE}/.`))
  const config = join(folder, `${name}.json`)
  await writeFile(config, JSON.stringify({ extends: join(HERE, '../../tsconfig.json'), include: [file], exclude: [] }))
  return new Promise((resolve) => {
    execFile(process.execPath, [TSC, '-p', config], (_, stdout, stderr) => {
      const lines = (stdout + stderr).split('\n')
      resolve(lines.filter((line) => line.includes(`${name}.mts`)).join('\n'))
    })
  })
}

describe('the fence of types around upload', () => {
  it('compiles as it stands: each forbidden line is an error, the allowed one is not', async () => {
    expect(await compile('stands', await readFile(FENCE, 'utf8'))).toBe('')
  })

  it('bites: without its directives, every forbidden line is reported by tsc', async () => {
    const source = await readFile(FENCE, 'utf8')
    const forbidden = source.match(/@ts-expect-error/g)!.length
    const report = await compile('bites', source.replaceAll('@ts-expect-error', ''))
    expect(forbidden).toBe(17)
    expect(report.match(/error TS/g)).toHaveLength(forbidden)
  })

  it('bites the other way: were any of these types a plain one, the unused directives would be reported', async () => {
    const source = await readFile(FENCE, 'utf8')
    const report = await compile('weak', source.replace('update: PrivateUpdate', 'update: object'))
    expect(report).toContain("TS2578: Unused '@ts-expect-error' directive")
  })
})
