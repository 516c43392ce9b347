import type { NamedTensor } from '@fedsvd/core/tensor'
import type { StepResult } from '../refactorisation/index.ts'
import type { RoundContext, RunMechanism, RunMilestones, RunTensors, RunTerms } from './context.ts'

/** The next state and its spectra: the mean is added to the base state, then the method's re-factorisation. */
export async function refactorise(
  { run, round, base }: RoundContext<RunTerms & RunTensors & RunMechanism & Pick<RunMilestones, 'refactorised'>>,
  mean: readonly NamedTensor[],
): Promise<StepResult> {
  const { manifest, schemaHash, blobs, refactoriser } = run
  const frame = await blobs.read(base.sha256)
  const next = await refactoriser.step({ manifest, schemaHash, basis: base.basis, frame, mean })
  run.refactorised(round, next.report)
  return next
}
