import type { z } from 'zod'
import type { WithTerms } from '../../registry/index.ts'
import type { NamedTensor, TensorSpec } from '../../tensor/index.ts'

/** The updates of one round on their way to become one. */
export interface Aggregation {
  /** How many were added. */
  readonly count: number
  /** Adds one delta, in the order of the specs. @throws FedsvdError SHAPE_MISMATCH, and then nothing was added */
  add(delta: readonly NamedTensor[]): void
  /** @throws FedsvdError RUN_STATE with fewer than the fewest that the rule is defined for */
  result(): NamedTensor[]
}

/** What is public about an update: its client's terms. */
export interface UpdateTerms {
  /** With which the update was noised: its variance is this squared, times the same constant for every client. */
  readonly noiseMultiplier: number
}

/**
 * How the updates of a round become one. Every rule sees updates that their clients have clipped and noised, and that
 * lie within the norm bound of the run; so the choice among rules costs no record-level privacy (post-processing).
 * Client-level privacy needs a bound on one client's influence, which is proven of `mean` alone: other rules are
 * refused beside it, and beside buffered rounds, whose updates carry weights.
 *
 * Register one with `registerAggregationRule`; `examples/custom-aggregation` has a rule in one file.
 */
export interface AggregationRule<Terms extends z.ZodRawShape = z.ZodRawShape> extends WithTerms {
  /** What a run request and its manifest say: `aggregation: { name, ...terms }`. */
  readonly name: string
  /**
   * The numbers beside the name, each a schema: `wholeIn` or `numberIn` of a range with its reason. A number without
   * both ends is refused when the rule is registered; an unknown term when a manifest is read. `{}` for none.
   */
  readonly terms: Terms
  /** The fewest updates for which the rule is defined, at least 1: a run whose quorum is smaller is not opened. */
  minUpdates(terms: z.infer<z.ZodObject<Terms>>): number
  /**
   * Begins one round. What `result()` gives has the names, shapes and order of `specs`, and the unit of one client's
   * update (it is added to B, and to a trained head): not a sum. It must be a function of the deltas and their order
   * alone, as a round that a crash interrupted is aggregated again. Only `mean` needs memory for one update; a rule
   * that compares updates has them all from {@link bufferedAggregation}.
   *
   * @param specs the trained tensors of the run, float32
   * @param updates the public terms of each update, in the order in which they will be added
   */
  begin(specs: readonly TensorSpec[], terms: z.infer<z.ZodObject<Terms>>, updates: readonly UpdateTerms[]): Aggregation
}
