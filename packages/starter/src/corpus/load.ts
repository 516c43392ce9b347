import type { TextRecord } from '@fedsvd/engine/datasets'
import { comparableWords, findNearDuplicates } from '@fedsvd/engine/datasets'
import { withoutBoilerplate } from './boilerplate.ts'
import { rawMails, type StarterLabel } from './corpus-files.ts'
import { plainBody } from './mail-body.ts'
import { sourceOf } from './mail-source.ts'
import { readMail } from './read-mail.ts'

/**
 * Bodies are the same when seven tenths of the three-word runs in their first 200 words are shared. That is more than
 * the starter encoder reads (128 tokens), so no two kept records look alike to it; what differs further down, it cannot
 * see.
 */
export const SAME_BODY = { threshold: 0.7, shingleWords: 3, firstWords: 200 } as const

export interface StarterRecord extends TextRecord {
  readonly label: StarterLabel
  readonly source: string
}

export interface StarterCorpus {
  /** Different bodies, in the order of the package's files. */
  readonly records: readonly StarterRecord[]
  readonly dropped: {
    /** Mails without a single word, such as a lone picture. */
    readonly empty: number
    /** Mails whose body repeats an earlier one, exactly or nearly. */
    readonly repeated: number
  }
}

/** Reads, cleans and de-duplicates the SpamAssassin corpus. Deterministic; takes some seconds. */
export async function loadStarterCorpus(): Promise<StarterCorpus> {
  const mails: StarterRecord[] = []
  let empty = 0
  for (const { label, bytes } of rawMails()) {
    const mail = await readMail(bytes)
    const text = withoutBoilerplate(plainBody(mail))
    if (comparableWords(text, 1).length === 0) empty++
    else mails.push({ text, label, source: sourceOf(mail) })
  }
  const texts = mails.map(({ text }) => text)
  const repeats = findNearDuplicates(texts, SAME_BODY)
  const records = mails.filter((_, i) => repeats[i]! < 0)
  return { records, dropped: { empty, repeated: mails.length - records.length } }
}
