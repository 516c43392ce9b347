import type { AdapterState } from '@fedsvd/core/lora'
import type { RunManifest } from '@fedsvd/core/protocol'
import type { Baseline, Evaluation } from '../storage/records/index.ts'

/** Measures published states on a public hold-out. It never sees anything that is not public. */
export interface Evaluator extends AsyncDisposable {
  readonly baseline: Baseline
  evaluate(state: AdapterState): Promise<Evaluation>
}

/** Undefined where the coordinator has no hold-out for the run. */
export type EvaluatorFactory = (manifest: RunManifest) => Promise<Evaluator | undefined>
