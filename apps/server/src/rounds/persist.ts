import type { serverStep } from '@fedsvd/core/federation'
import type { ClipNorms } from '../store/index.ts'
import type { RoundContext } from './context.ts'
import { encodeState } from './frames.ts'

/** Makes the next state durable: first its bytes, then the row that names them, with the clip norms of the next round. */
export async function persist(
  { run, book }: RoundContext,
  { state, spectra }: ReturnType<typeof serverStep>,
  clipNorms: ClipNorms,
): Promise<void> {
  const blob = await run.blobs.put(encodeState(run.manifest, run.schemaHash, state))
  const values = spectra.map((spectrum) => [...spectrum])
  await book.dispatch({ type: 'aggregated', result: { ...blob, basis: state.basis, spectra: values, ...clipNorms } })
}
