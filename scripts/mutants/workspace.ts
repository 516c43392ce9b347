import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** What a copy of the tree does not need. */
const LEFT_OUT = new Set(['.git', '.fedsvd', '.turbo', 'node_modules', 'dist'])

/** A copy of the tree to break, removed when the process exits; what is installed is shared. */
export function makeWorkspace(): string {
  const folder = mkdtempSync(join(tmpdir(), 'fedsvd-mutants-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const copy = (from: string, to: string): void => {
    cpSync(from, to, { recursive: true, filter: (source) => !LEFT_OUT.has(source.split('/').at(-1)!) })
  }
  for (const name of readdirSync(ROOT)) if (!LEFT_OUT.has(name)) copy(join(ROOT, name), join(folder, name))
  for (const place of ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(ROOT, group)).map((name) => join(group, name)),
  )) {
    const installed = join(ROOT, place, 'node_modules')
    if (existsSync(installed)) symlinkSync(installed, join(folder, place, 'node_modules'))
  }
  linkModules(folder)
  return folder
}

/** The installed packages, with those of the workspace led to the copy. */
function linkModules(folder: string): void {
  const installed = join(ROOT, 'node_modules')
  const own = join(folder, 'node_modules')
  cpSync(join(installed, '@fedsvd'), join(own, '@fedsvd'), { recursive: true, verbatimSymlinks: true })
  for (const name of readdirSync(installed)) {
    if (name !== '@fedsvd' && name !== '.vite') symlinkSync(join(installed, name), join(own, name))
  }
}
