/** A dense tensor that enters or leaves a run. */
export interface RunTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}

/**
 * A graph made ready to run, with its weights loaded once. Runs may not overlap; any batch and sequence length is accepted.
 */
export interface GraphRunner extends AsyncDisposable {
  /** Every output of the graph for the given inputs; inputs that the graph does not have are ignored. */
  run(inputs: Readonly<Record<string, RunTensor>>): Promise<Readonly<Record<string, RunTensor>>>
}
