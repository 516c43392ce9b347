import type { serverStep } from '@fedsvd/core/federation'
import type { RoundContext } from './context.ts'
import { encodeState } from './frames.ts'

/** Makes the next state durable: first its bytes, then the row that names them. */
export async function persist({ run, book }: RoundContext, next: ReturnType<typeof serverStep>): Promise<void> {
  const { state } = next
  const blob = await run.blobs.put(encodeState(run.manifest, run.schemaHash, state))
  const spectra = next.spectra.map((values) => [...values])
  await book.dispatch({ type: 'aggregated', result: { ...blob, basis: state.basis, spectra } })
}
