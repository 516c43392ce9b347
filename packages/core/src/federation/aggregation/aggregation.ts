import type { NamedTensor } from '../../tensor/index.ts'

/** The updates of one round on their way to become one. */
export interface Aggregation {
  readonly count: number
  /** Adds one delta, in the order of the specs. @throws FedsvdError SHAPE_MISMATCH */
  add(delta: readonly NamedTensor[]): void
  /** @throws FedsvdError RUN_STATE with fewer than the fewest that the rule is defined for */
  result(): NamedTensor[]
}
