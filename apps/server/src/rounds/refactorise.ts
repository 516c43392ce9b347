import { serverStep } from '@fedsvd/core/federation'
import type { NamedTensor } from '@fedsvd/core/tensor'
import type { RoundContext } from './context.ts'
import { decodeState } from './frames.ts'

/** The next state and its spectra: the mean is added to the base state, then the method's exact re-factorisation. */
export async function refactorise(
  { run, base }: RoundContext,
  mean: readonly NamedTensor[],
): Promise<ReturnType<typeof serverStep>> {
  const { manifest, schemaHash, blobs } = run
  const state = decodeState(manifest, schemaHash, base.basis, await blobs.read(base.sha256))
  return serverStep({ manifest, state, mean })
}
