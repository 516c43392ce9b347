import type { Named } from '../../registry/index.ts'
import type { AdaptedLayer } from '../schema.ts'

/** What an initialiser draws one layer's A of. */
export interface InitialiserInput {
  /** Its name in the checkpoint and its sizes: the linear layer maps dIn features to dOut. */
  readonly layer: AdaptedLayer
  /** Rows of A; at most dIn. */
  readonly rank: number
  /**
   * rank * dIn independent values of N(0, 1), a function of the public seed of the run and the name of the layer: the
   * same whenever they are asked for. There is no other source of randomness, so that everyone can draw the state
   * again.
   */
  normals(): Float32Array
}

/**
 * How the first A of a run is drawn. B starts at zero, so the first model is the base model whatever A is. An
 * initialiser sees no data, and a run says its name in public: it costs no privacy.
 *
 * Register one with `registerInitialiser`; `examples/custom-initialiser` has an initialiser in one file.
 */
export interface Initialiser extends Named {
  /** What a run request and its manifest say: `initialiser`. */
  readonly name: string
  /**
   * A of one layer: rank x dIn, row-major, float32 and finite, its rows linearly independent. A function of its input
   * alone.
   */
  draw(input: InitialiserInput): Float32Array
}
