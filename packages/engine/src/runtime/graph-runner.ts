import type { Graph } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'

/** A dense tensor that enters or leaves a run. */
export interface RunTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}

/**
 * A graph made ready to run, with its weights loaded once. Runs may not overlap; any batch and sequence length is
 * accepted.
 */
export interface GraphRunner extends AsyncDisposable {
  /** Every output of the graph for the given inputs; inputs that the graph does not have are ignored. */
  run(inputs: Readonly<Record<string, RunTensor>>): Promise<Readonly<Record<string, RunTensor>>>
}

/** Makes a graph ready to run; `name` stands for the graph in the runtime's own messages. */
export type RunnerFactory = (graph: Graph, name: string) => Promise<GraphRunner>

/** @throws FedsvdError GRAPH_INVALID where the input is missing */
export function inputOf(inputs: Readonly<Record<string, RunTensor>>, name: string): RunTensor {
  const input = inputs[name]
  if (input) return input
  throw new FedsvdError('GRAPH_INVALID', {
    expected: `a tensor for the input "${name}"`,
    got: 'no such tensor',
    remedy: 'Supply every input of the graph.',
  })
}
