import { FedsvdError } from '@fedsvd/core/errors'
import { FOREIGN_BYTES, foreignFile } from './foreign-file.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** @throws FedsvdError CHECKPOINT_INVALID where the text is no JSON object */
export function jsonObject(text: string, path: string): JsonObject {
  let reason = ''
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  } catch (error) {
    reason = ` (${(error as Error).message.replaceAll('\n', ' ')})`
  }
  const foreign = foreignFile(new TextEncoder().encode(text.slice(0, FOREIGN_BYTES)))
  throw new FedsvdError('CHECKPOINT_INVALID', {
    expected: `a JSON object in ${path}`,
    got: foreign?.what ?? `${JSON.stringify(text.slice(0, 60))}${reason}`,
    remedy: foreign?.remedy ?? 'Download the checkpoint again.',
  })
}
