import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Tokenizer } from '@fedsvd/engine/tokenizers'
import { type ClientConfig, type ClientConfigInput, clientConfig } from '../../../../apps/client/src/config.ts'
import { BUDGET } from './sample-run.ts'

/** One token for each letter. */
export const letters: Tokenizer = {
  vocabularySize: 65_536,
  encode: async (text, maxTokens) => letterIds(text, maxTokens),
}

/** The tokens of {@link letters}. */
export function letterIds(text: string, maxTokens: number): Int32Array {
  return Int32Array.from([...(text || ' ')].slice(0, maxTokens), (letter) => letter.charCodeAt(0))
}

/** A site of `records` short letters in a folder: its configuration for a client. */
export function sampleSite(
  folder: string,
  coordinator: string,
  changes: Partial<ClientConfigInput> & { readonly records?: number } = {},
): ClientConfig {
  const { records = 100, ...settings } = changes
  const dataFile = join(folder, 'records.jsonl')
  const rows = Array.from({ length: records }, (_, index) => ({
    text: `letter number ${index}`,
    label: index % 2 === 0 ? 'ham' : 'spam',
  }))
  writeFileSync(dataFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return clientConfig({
    coordinator,
    name: 'a test site',
    dataFile,
    stateDir: join(folder, 'state'),
    budget: BUDGET,
    enrolmentToken: 'token',
    declaredRecords: 100,
    releaseGrid: false, // what a test waits for comes when it is made
    ...settings,
  })
}
