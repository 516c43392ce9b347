import '../runtime/no-telemetry.ts'
import { type OnnxGraph, type OnnxOperation, toOnnx, type Value } from '@fedsvd/core/autodiff'
import type { DeviceStack, LinearAlgebraDevice, StackShape } from '@fedsvd/core/linalg'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { openSession } from '../runtime/onnx-runner.ts'
import type { ExecutionProvider } from '../settings/index.ts'
import { addedSegments, segmentsOf } from './segments.ts'

const MAX_STACK_BYTES = 64 * 2 ** 20

type Precision = LinearAlgebraDevice['precision']
type Values = Float32Array | Float64Array

/**
 * The products of a re-factorisation on onnxruntime: in float64 on the CPU, in float32 on a device. What a product
 * gives comes back to the host each time.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE where the device cannot be used
 */
export async function onnxDevice(
  executionProvider: ExecutionProvider,
  threads: number,
): Promise<LinearAlgebraDevice & AsyncDisposable> {
  const precision: Precision = executionProvider === 'cpu' ? 'float64' : 'float32'
  const open = async (graph: OnnxGraph, name: string) =>
    await openSession({ name, threads, executionProvider }, (settings) =>
      InferenceSession.create(toOnnx(graph, name), settings),
    )
  const sessions = new Map<string, Promise<InferenceSession>>()
  /** One session for each operation and element type, made when it is first needed. */
  const session = (operation: 'gram' | 'times', from: Precision): Promise<InferenceSession> => {
    const name = `${operation} of ${from}`
    const known = sessions.get(name) ?? open(GRAPHS[operation](from, precision), name)
    sessions.set(name, known)
    return known
  }
  const stackOf = ({ count, rows, columns }: StackShape, values: Values): DeviceStack => {
    const from: Precision = values instanceof Float64Array ? 'float64' : 'float32'
    return {
      gram: async () => {
        const segments = precision === 'float32' ? segmentsOf(rows) : 1
        const x = new Tensor(from, values, [count * segments, rows / segments, columns])
        const { y } = await (await session('gram', from)).run({ x })
        return addedSegments(y!.data as Values, segments, columns * columns)
      },
      times: async (right) => {
        const x = new Tensor(from, values, [count, rows, columns])
        const factors = precision === 'float64' ? right : Float32Array.from(right)
        const m = new Tensor(precision, factors, [count, columns, columns])
        const { y } = await (await session('times', from)).run({ x, m })
        return stackOf({ count, rows, columns }, y!.data as Values)
      },
      read: async () => values,
      release: () => {},
    }
  }
  await session('gram', 'float32') // shows now whether the device can be used
  return {
    name: `onnxruntime-${executionProvider}`,
    precision,
    maxStackBytes: MAX_STACK_BYTES,
    upload: async (shape, data) => stackOf(shape, data),
    [Symbol.asyncDispose]: async () => {
      for (const opened of sessions.values()) await (await opened).release()
    },
  }
}

/** Numbers of ONNX's `TensorProto.DataType`. */
const DATA_TYPE: Readonly<Record<Precision, number>> = { float32: 1, float64: 11 }

const GRAPHS = {
  /** y = x^T x of each matrix of a stack [N, rows, columns]. */
  gram: (from: Precision, to: Precision): OnnxGraph => {
    const { x, cast, converted } = input('x', from, to, ['N', 'D', 'R'])
    const turned: Value = { name: 'turned', dtype: to, shape: ['N', 'R', 'D'] }
    const y: Value = { name: 'y', dtype: to, shape: ['N', 'R', 'R'] }
    const operations: OnnxOperation[] = [
      ...cast,
      { op: 'Transpose', inputs: [converted], outputs: [turned], attributes: { perm: { ints: [0, 2, 1] } } },
      { op: 'MatMul', inputs: [turned, converted], outputs: [y], attributes: {} },
    ]
    return { inputs: [x], constants: [], operations, outputs: [y] }
  },
  /** y = x m, matrix by matrix. */
  times: (from: Precision, to: Precision): OnnxGraph => {
    const { x, cast, converted } = input('x', from, to, ['N', 'D', 'R'])
    const m: Value = { name: 'm', dtype: to, shape: ['N', 'R', 'R'] }
    const y: Value = { name: 'y', dtype: to, shape: ['N', 'D', 'R'] }
    const operations: OnnxOperation[] = [
      ...cast,
      { op: 'MatMul', inputs: [converted, m], outputs: [y], attributes: {} },
    ]
    return { inputs: [x, m], constants: [], operations, outputs: [y] }
  },
} as const

/** An input of one element type, and the value that holds it in another. */
function input(name: string, from: Precision, to: Precision, shape: readonly string[]) {
  const x: Value = { name, dtype: from, shape }
  if (from === to) return { x, cast: [], converted: x }
  const converted: Value = { name: `${name}.converted`, dtype: to, shape }
  const attributes = { to: { int: DATA_TYPE[to] } }
  return { x, cast: [{ op: 'Cast', inputs: [x], outputs: [converted], attributes }], converted }
}
