import { createHash } from 'node:crypto'
import type { SavedStep } from '@fedsvd/core/privacy'
import { slicesOf } from '../platform/index.ts'
import { sha256Hex } from './chain.ts'

/** Of steps that were hashed: a step of ten million entries takes a tenth of a second each time. */
const known = new WeakMap<SavedStep, string>()

/** The SHA-256 of a saved step, in hex. */
export function hashOfStep(saved: SavedStep): string {
  return known.get(saved) ?? sha256Hex(saved.bytes)
}

/** {@link hashOfStep} with turns in between; asked for again, it is known. */
export async function hashStep(saved: SavedStep): Promise<string> {
  const hash = createHash('sha256')
  for await (const slice of slicesOf(saved.bytes)) hash.update(slice)
  const digest = hash.digest('hex')
  known.set(saved, digest)
  return digest
}
