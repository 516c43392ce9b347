import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, tryPage } from '../../packages/testing/src/docs/index.ts'
import { freePort } from '../../packages/testing/src/server/free-port.ts'

/*
 * Every transcript of a page (a block `console`) is typed into a shell, and what it prints is what the page shows:
 * identifiers and times by their form, `...` for anything. See packages/testing/src/docs for what a block may ask for.
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT })
  .toString()
  .trim()
  .split('\n')
  .filter((page) =>
    blocksOf(readFileSync(path.join(ROOT, page), 'utf8')).some(({ language }) => language === 'console'),
  )

describe('the transcripts of a page', { timeout: 300_000 }, () => {
  let bin: string
  beforeAll(async () => {
    bin = await mkdtemp(path.join(tmpdir(), 'fedsvd-bin-'))
    const fedsvd = `#!/bin/sh\nexec "${process.execPath}" "${path.join(ROOT, 'apps/cli/bin/fedsvd.mjs')}" "$@"\n`
    const commands = { fedsvd, npx: '#!/bin/sh\nexec "$@"\n' }
    for (const [name, text] of Object.entries(commands)) {
      await writeFile(path.join(bin, name), text)
      await chmod(path.join(bin, name), 0o755)
    }
  })
  afterAll(() => rm(bin, { recursive: true, force: true }))

  it.each(PAGES)('%s', async (page) => {
    const home = await mkdtemp(path.join(tmpdir(), 'fedsvd-page-'))
    const folder = path.join(home, 'work')
    await mkdir(folder)
    try {
      const environment = { PATH: `${bin}:${process.env.PATH}`, HOME: home, LANG: 'C.UTF-8', TZ: 'UTC' }
      // Pages say 7373; here another coordinator may listen there.
      const text = readFileSync(path.join(ROOT, page), 'utf8').replaceAll('7373', String(await freePort()))
      await tryPage(text, { folder, environment })
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })

  it('are in some pages', () => expect(PAGES.length).toBeGreaterThan(0))
})
