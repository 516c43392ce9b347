import type { StepResult } from '../refactorisation/index.ts'
import { stage } from '../storage/objects/index.ts'
import type { ClipNorms } from '../storage/records/index.ts'
import type { RoundContext } from './context.ts'

/**
 * Makes the next state durable and publishes it: first its bytes, then, in one change, the row that names them, with
 * the clip norms of the next round, and the end of this one.
 */
export async function storeNextState(
  { run, journal }: RoundContext<'storage' | 'time'>,
  { frame, basis, spectra, report }: StepResult,
  clipNorms: ClipNorms,
): Promise<void> {
  // Held until the row that names it is stored.
  await using blob = await stage(run.storage.blobs, frame)
  await blob.keep()
  const { sha256, bytes } = blob
  const values = spectra.map((spectrum) => [...spectrum])
  const { device, seconds, fallbacks } = report
  const factors = { device, seconds, fallbacks: fallbacks.length }
  const result = { sha256, bytes, basis, spectra: values, factors, ...clipNorms }
  await journal.dispatch({ type: 'aggregated', result }, { type: 'published', at: run.time.clock.now() })
}
