import type { ConstantData, Graph, Operation } from '@fedsvd/core/autodiff'
import { FedsvdError } from '@fedsvd/core/errors'
import type { Tensor } from '@tensorflow/tfjs-core'
import { type GraphRunner, inputOf, type RunTensor } from '../graph-runner.ts'
import { selectBackend, type TfjsBackend } from './backends.ts'
import { type Held, isSizes, OPERATORS, type Tf } from './operators.ts'

/**
 * Runs a graph on TensorFlow.js, operator by operator.
 *
 * The weights are uploaded once. Every other tensor is disposed as soon as nothing needs it any more, also when a run
 * fails: between runs the weights are all there is.
 */
export async function createTfjsRunner(graph: Graph, backend: TfjsBackend): Promise<GraphRunner> {
  const { tf } = backend
  await selectBackend(backend)
  const weights = new Map<string, Held>(
    graph.constants.map(({ name, shape, data }) => [name, heldConstant(tf, shape, data)]),
  )
  const steps = withLastUses(graph)
  return {
    run: async (inputs) => {
      await selectBackend(backend)
      const outputs = tf.tidy(() => execute(tf, graph, steps, weights, inputs))
      try {
        const results = outputs.map(async (tensor, index) => [graph.outputs[index]!.name, await fetch(tensor)] as const)
        const fetched = Object.fromEntries(await Promise.all(results))
        await backend.settled?.()
        return fetched
      } finally {
        tf.dispose(outputs)
      }
    },
    [Symbol.asyncDispose]: () => {
      for (const weight of weights.values()) if (!isSizes(weight)) weight.dispose()
      weights.clear()
      return Promise.resolve()
    },
  }
}

interface Step {
  readonly operation: Operation
  /** Names of the values that no later operation uses and that are no outputs. */
  readonly finished: readonly string[]
}

function withLastUses({ operations, outputs, constants }: Graph): readonly Step[] {
  const needed = new Set([...outputs, ...constants].map(({ name }) => name))
  const backwards = operations.toReversed().map((operation): Step => {
    const names = new Set([...operation.inputs, ...operation.outputs].map(({ name }) => name))
    const finished = [...names].filter((name) => !needed.has(name))
    for (const name of finished) needed.add(name)
    return { operation, finished }
  })
  return backwards.reverse()
}

function execute(
  tf: Tf,
  graph: Graph,
  steps: readonly Step[],
  weights: ReadonlyMap<string, Held>,
  inputs: Readonly<Record<string, RunTensor>>,
): Tensor[] {
  const values = new Map(weights)
  for (const { name } of graph.inputs) {
    const { shape, data } = inputOf(inputs, name)
    values.set(name, tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32'))
  }
  for (const { operation, finished } of steps) {
    const { op, inputs: used, outputs, attributes } = operation
    // The inner scope disposes what an operator makes on its way to its results.
    const operands = used.map(({ name }) => values.get(name)!)
    const results = tf.tidy(() => OPERATORS[op](tf, operands, attributes))
    for (const [index, { name }] of outputs.entries()) values.set(name, results[index]!)
    for (const name of finished) {
      const value = values.get(name)!
      if (!isSizes(value)) value.dispose()
      values.delete(name)
    }
  }
  return graph.outputs.map(({ name }) => values.get(name) as Tensor)
}

function heldConstant(tf: Tf, shape: readonly number[], data: ConstantData): Held {
  if (data instanceof BigInt64Array) return Array.from(data, Number)
  return tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32')
}

/** A cast leaves the bytes of a bool as they are on some backends, so the array follows the element type. */
async function fetch(tensor: Tensor): Promise<RunTensor> {
  const data = await tensor.data()
  if (tensor.dtype === 'float32') return { shape: tensor.shape, data: Float32Array.from(data) }
  if (tensor.dtype === 'int32') return { shape: tensor.shape, data: Int32Array.from(data) }
  throw new FedsvdError('GRAPH_INVALID', {
    expected: 'outputs of float32 or int32',
    got: tensor.dtype,
    remedy: 'Cast the value before it leaves the graph.',
  })
}
