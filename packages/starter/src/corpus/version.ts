import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { starterPackage } from './corpus-files.ts'

/**
 * A hash of all that decides what the prepared corpus holds: the rules of this folder, the search for duplicates, the
 * libraries that read mail and the corpus itself. It is taken from the files, so that no change can forget to raise it.
 */
export function starterCorpusVersion(): string {
  const hash = createHash('sha256').update(starterPackage().version)
  const names = readdirSync(import.meta.dirname)
  const extension = names.includes('version.ts') ? '.ts' : '.js' // from the sources, or built from them
  const rules = names.filter((file) => file.endsWith(extension) && !/\.(test|d)\.ts$/.test(file)).sort()
  const datasets = dirname(createRequire(import.meta.url).resolve('@fedsvd/engine/datasets'))
  const duplicates = join(datasets, 'fingerprint', `near-duplicates${extension}`)
  for (const file of [...rules.map((rule) => join(import.meta.dirname, rule)), duplicates]) {
    hash.update(readFileSync(file))
  }
  const own = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')
  const { dependencies } = JSON.parse(own) as { dependencies: Record<string, string> }
  return hash.update(`${dependencies['postal-mime']} ${dependencies['html-to-text']}`).digest('hex')
}
