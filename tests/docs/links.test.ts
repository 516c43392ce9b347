import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT })
  .toString()
  .trim()
  .split('\n')

/** The text without code blocks, in which a path is an example. */
const prose = (page: string) => readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '')

/** Headings as GitHub makes anchors of them. */
const anchors = (page: string) =>
  [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  )

const links = (page: string) =>
  [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!).filter((target) => !/^\w+:/.test(target))

/** What is wrong with a link; undefined where it leads somewhere. */
function fault(page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : normalize(join(dirname(page), path))
  if (!existsSync(join(ROOT, file))) return `${page}: ${target} leads nowhere`
  if (anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor)) {
    return `${page}: ${target} names no heading of ${file}`
  }
}

describe('documents', () => {
  it('link to what is there', () => {
    const faults = PAGES.flatMap((page) => links(page).flatMap((target) => fault(page, target) ?? []))
    expect(faults).toEqual([])
    expect(PAGES.flatMap(links).length).toBeGreaterThan(20)
  })

  it('are all found from their own table of contents', () => {
    const listed = new Set([
      ...links('docs/README.md').map((target) => normalize(join('docs', target))),
      ...links('docs/decisions/README.md').map((target) => normalize(join('docs/decisions', target))),
    ])
    const missing = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md' && !listed.has(page))
    expect(missing).toEqual([])
  })

  it('see a link that leads nowhere', () => {
    expect(fault('docs/README.md', 'how-to/none.md')).toMatch(/leads nowhere/)
    expect(fault('docs/README.md', '../README.md#none')).toMatch(/names no heading/)
    expect(fault('docs/README.md', '../README.md#the-tree')).toBeUndefined()
  })
})
