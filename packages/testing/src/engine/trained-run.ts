import type { AdapterState } from '@fedsvd/core/lora'
import type { RunFacts } from '@fedsvd/engine/export'
import { waveNamed } from '../core/models/index.ts'

/** What a run on this model says about itself, for tests that export one of its states. */
export const factsOfRun = (model: string): RunFacts => ({
  runId: 'run',
  name: 'films',
  rounds: 1,
  method: 'fedsvd',
  model,
  training: {
    localSteps: 1,
    expectedLotSize: 2,
    clipNorm: 1,
    learningRate: 1,
    momentum: 0,
    clientsPerRound: 1,
    target: { epsilon: 1, delta: 1e-5 },
  },
  privacy: [],
})

/** A state with B and a head that are not zero, as if it had been trained. */
export const asIfTrained = (initial: AdapterState): AdapterState => ({
  ...initial,
  b: initial.b.map((spec, index) => waveNamed(index, spec, 0.2)),
  head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.4)),
})
