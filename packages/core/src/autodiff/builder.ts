import { FedsvdError } from '../errors.ts'
import type { NamedTensor } from '../tensor/index.ts'
import type {
  Attribute,
  Constant,
  ConstantData,
  DType,
  Graph,
  Operation,
  OperatorName,
  Shape,
  TensorType,
  Value,
} from './value.ts'

/** Constants up to this size are shared when equal; larger ones are weights, which have names of their own. */
const SHARED_CONSTANT_SIZE = 64

/**
 * Collects operations in the order in which they are applied.
 *
 * The same operator applied twice to the same values is emitted once, so that forward and reverse pass may each ask
 * for, say, a transposed weight without paying for it twice. Nothing here is executed.
 */
export class GraphBuilder {
  readonly #inputs: Value[] = []
  readonly #constants = new Map<string, Constant>()
  readonly #operations: Operation[] = []
  readonly #known = new Map<string, readonly Value[]>()
  readonly #producers = new Map<string, Operation>()
  readonly #names = new Set<string>()

  /** Operations so far, in a valid order of execution. */
  get operations(): readonly Operation[] {
    return this.#operations
  }

  /** A tensor that every run supplies. */
  input(name: string, dtype: DType, shape: Shape): Value {
    const value = { name: this.#claim(name), dtype, shape }
    this.#inputs.push(value)
    return value
  }

  /** A frozen float32 weight, under its own name. */
  weight({ name, shape, data }: NamedTensor): Value {
    const known = this.#constants.get(name)
    if (known?.data === data) return known
    return this.#constant(this.#claim(name), 'float32', shape, data)
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    return this.#sharedConstant('float32', [], Float32Array.of(value))
  }

  /** A list of int64, as axes and shapes are given. */
  integers(values: readonly number[]): Value {
    return this.#sharedConstant('int64', [values.length], BigInt64Array.from(values, BigInt))
  }

  /** A row of int32 that classes or ids are compared with. */
  indices(values: readonly number[]): Value {
    return this.#sharedConstant('int32', [values.length], Int32Array.from(values))
  }

  /** The values of a constant, or undefined for anything that is computed or supplied. */
  constantData({ name }: Value): ConstantData | undefined {
    return this.#constants.get(name)?.data
  }

  /** The operation that computes a value, or undefined for a constant or an input. */
  producerOf({ name }: Value): Operation | undefined {
    return this.#producers.get(name)
  }

  /** Adds one operation. Shapes are the caller's duty: use the functions of `operators.ts`. */
  apply(
    op: OperatorName,
    inputs: readonly Value[],
    types: readonly TensorType[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): readonly Value[] {
    const key = JSON.stringify([op, inputs.map(({ name }) => name), attributes])
    const known = this.#known.get(key)
    if (known) return known
    const outputs = types.map(({ dtype, shape }, index) => ({
      name: `${op}.${this.#operations.length}${types.length > 1 ? `.${index}` : ''}`,
      dtype,
      shape,
    }))
    const operation = { op, inputs, outputs, attributes }
    this.#operations.push(operation)
    for (const { name } of outputs) this.#producers.set(name, operation)
    this.#known.set(key, outputs)
    return outputs
  }

  /**
   * The part of the graph that the named outputs need. An output is the value itself under its new name; only a value
   * that has one already (an input, a constant, another output) is copied.
   *
   * Throws GRAPH_INVALID when a name is taken or a value belongs to another builder.
   */
  build(outputs: Readonly<Record<string, Value>>): Graph {
    const computed = new Set(this.#operations.flatMap((operation) => operation.outputs.map(({ name }) => name)))
    const renamed = new Map<string, string>()
    const copies: Operation[] = []
    const named = Object.entries(outputs).map(([name, value]) => {
      const output: Value = { name: this.#claim(name), dtype: value.dtype, shape: value.shape }
      if (computed.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, name)
      else copies.push({ op: 'Identity', inputs: [value], outputs: [output], attributes: {} })
      return output
    })
    const rename = (value: Value): Value => ({ ...value, name: renamed.get(value.name) ?? value.name })
    const operations = [...this.#operations, ...copies].map((operation) => ({
      ...operation,
      inputs: operation.inputs.map(rename),
      outputs: operation.outputs.map(rename),
    }))
    const { kept, needed } = reachable(operations, named)
    const graph = {
      inputs: this.#inputs.filter(({ name }) => needed.has(name)),
      constants: [...this.#constants.values()].filter(({ name }) => needed.has(name)),
      operations: kept,
      outputs: named,
    }
    assertClosed(graph)
    return graph
  }

  #sharedConstant(dtype: DType, shape: readonly number[], data: ConstantData): Value {
    if (data.length > SHARED_CONSTANT_SIZE) {
      return this.#constant(this.#claim(`constant.${this.#constants.size}`), dtype, shape, data)
    }
    const name = `${dtype}(${[...data].map((value) => (Object.is(value, -0) ? '-0' : String(value))).join(',')})${shape.length}`
    return this.#constants.get(name) ?? this.#constant(this.#claim(name), dtype, shape, data)
  }

  #constant(name: string, dtype: DType, shape: readonly number[], data: ConstantData): Constant {
    const constant = { name, dtype, shape, data }
    this.#constants.set(name, constant)
    return constant
  }

  #claim(name: string): string {
    if (this.#names.has(name)) {
      throw new FedsvdError('GRAPH_INVALID', {
        expected: 'every input, weight and output to have a name of its own',
        got: `a second "${name}"`,
        remedy: 'Rename one of them.',
      })
    }
    this.#names.add(name)
    return name
  }
}

/** The operations that the outputs depend on, in their order, and the names of all values involved. */
function reachable(operations: readonly Operation[], outputs: readonly Value[]) {
  const needed = new Set(outputs.map(({ name }) => name))
  const kept: Operation[] = []
  for (const operation of operations.toReversed()) {
    if (!operation.outputs.some(({ name }) => needed.has(name))) continue
    kept.push(operation)
    for (const { name } of operation.inputs) needed.add(name)
  }
  return { kept: kept.reverse(), needed }
}

function assertClosed({ inputs, constants, operations }: Graph): void {
  const defined = new Set([...inputs, ...constants].map(({ name }) => name))
  for (const { op, inputs: used, outputs } of operations) {
    for (const { name } of used) {
      if (defined.has(name)) continue
      throw new FedsvdError('GRAPH_INVALID', {
        expected: `every input of ${op} to come from this graph`,
        got: `"${name}", which belongs to another`,
        remedy: 'Build the whole graph with one GraphBuilder.',
      })
    }
    for (const { name } of outputs) defined.add(name)
  }
}
