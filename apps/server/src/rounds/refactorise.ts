import type { NamedTensor } from '@fedsvd/core/tensor'
import type { StepResult } from '../refactorisation/index.ts'
import type { RoundContext } from './context.ts'

/** The next state and its spectra: the mean is added to the base state, then the method's re-factorisation. */
export async function refactorise(
  { run, round, base }: RoundContext<'settings' | 'storage' | 'mechanism' | 'rounds'>,
  mean: readonly NamedTensor[],
): Promise<StepResult> {
  const { manifest, schemaHash } = run.settings
  const frame = await run.storage.blobs.read(base.sha256)
  const next = await run.mechanism.refactoriser.step({ manifest, schemaHash, basis: base.basis, frame, mean })
  run.rounds.refactorised(round, next.report)
  return next
}
