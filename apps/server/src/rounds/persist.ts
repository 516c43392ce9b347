import type { AdapterState } from '@fedsvd/core/adapters'
import type { RoundContext } from './context.ts'
import { encodeState } from './frames.ts'

/** Makes the next state durable: first its bytes, then the row that names them. */
export async function persist({ run, book }: RoundContext, next: AdapterState): Promise<void> {
  const blob = await run.blobs.put(encodeState(run.manifest, run.schemaHash, next))
  await book.dispatch({ type: 'aggregated', result: { ...blob, basis: next.basis } })
}
