import { FedsvdError } from '@fedsvd/core/errors'
import { type Graph, toOnnx } from '@fedsvd/core/graph'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { GraphRunner, RunTensor } from './graph-runner.ts'

export interface OnnxRunnerOptions {
  /** Names the graph in the runtime's own messages. */
  readonly name: string
  /** Threads inside one operator; the caller's thread counts as one. */
  readonly threads: number
  /** Writes one trace file per session, for finding slow operators. */
  readonly profilePrefix?: string
}

/** Runs a graph on onnxruntime's CPU kernels, with all graph optimisations. */
export async function createOnnxRunner(graph: Graph, options: OnnxRunnerOptions): Promise<GraphRunner> {
  const session = await InferenceSession.create(toOnnx(graph, options.name), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...(options.profilePrefix ? { enableProfiling: true, profileFilePrefix: options.profilePrefix } : {}),
    extra: { session: { set_denormal_as_zero: '1', intra_op: { allow_spinning: '0' } } },
  })
  return {
    run: async (inputs) => {
      const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, toTensor(name, inputs[name])]))
      const results = await session.run(feeds)
      return Object.fromEntries(graph.outputs.map(({ name }) => [name, fromTensor(results[name] as Tensor)]))
    },
    [Symbol.asyncDispose]: async () => await session.release(),
  }
}

function toTensor(name: string, input: RunTensor | undefined): Tensor {
  if (!input) {
    throw new FedsvdError('GRAPH_INVALID', {
      expected: `a tensor for the input "${name}"`,
      got: 'none',
      remedy: 'Supply every input of the graph.',
    })
  }
  return input.data instanceof Int32Array
    ? new Tensor('int32', input.data, input.shape)
    : new Tensor('float32', input.data, input.shape)
}

function fromTensor({ data, dims }: Tensor): RunTensor {
  return { shape: dims, data: data as Float32Array | Int32Array }
}
