import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { starterPackage } from './corpus-files.ts'

/**
 * A hash of all that decides what the prepared corpus holds: the rules of this folder, the search for duplicates, the
 * libraries that read mail and the corpus itself. It is taken from the files, so that no change can forget to raise it.
 */
export function starterCorpusVersion(): string {
  const hash = createHash('sha256').update(starterPackage().version)
  const names = readdirSync(import.meta.dirname)
  const extension = names.includes('version.ts') ? '.ts' : '.js' // from the sources, or built from them
  const rules = names.filter((file) => file.endsWith(extension) && !file.endsWith('.test.ts'))
  for (const file of [...rules.sort(), join('../fingerprint', `near-duplicates${extension}`)]) {
    hash.update(readFileSync(join(import.meta.dirname, file)))
  }
  const engine = readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')
  const { dependencies } = JSON.parse(engine) as { dependencies: Record<string, string> }
  return hash.update(`${dependencies['postal-mime']} ${dependencies['html-to-text']}`).digest('hex')
}
