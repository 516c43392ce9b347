import type { AdapterSchema, AdapterState } from '../../lora/index.ts'
import type { Named } from '../../registry/index.ts'

/** What a method makes the next state of. Nothing in it may be changed. */
export interface MethodStep {
  readonly schema: AdapterSchema
  /**
   * The state that the round started from, with the aggregated update added to B, and to the head where it is trained.
   */
  readonly updated: AdapterState
  /**
   * `updated` re-factorised: A = V^T with orthonormal rows, B = U S, the same product B A; the head as in `updated`.
   */
  readonly refactorised: AdapterState
  /** For each layer the singular values of B A, descending, in the unit of B: the diagonal of S. */
  readonly spectra: readonly Float64Array[]
}

/**
 * What the coordinator does between two rounds. Clients train B (and the head where it is trained) by whatever A is
 * published; a method decides the next A and B. It sees only what clients have already privatised, so it costs no
 * privacy (post-processing). What the manifest calls `fedsvd` and `ffa-lora` are written on it.
 *
 * Register one with `registerMethod`; `examples/custom-method` has a method in one file.
 */
export interface Method extends Named {
  /** What a run request and its manifest say: `method`. */
  readonly name: string
  /**
   * The next state: A and B of the shapes of `schema`, float32 and finite, with the names and in the order of
   * `updated`. It must be a function of the step alone, as a round that a crash interrupted is made again. `basis` is
   * not its business: unless it gives back the very array `updated.a`, the next basis begins.
   *
   * A method after which the rows of the earlier A do not lie in those of the next one makes late updates meaningless:
   * `rebase` refuses them, so run it without `lateUpdates` and without mode `buffered`.
   */
  next(step: MethodStep): AdapterState
}
