import { type AdapterSchema, type AdapterState, trainedSpecs } from '@fedsvd/core/adapters'
import type { Graph } from '@fedsvd/core/graph'
import { gridSumName } from '@fedsvd/core/model'
import { sizeOf } from '@fedsvd/core/tensor'
import type { GraphRunner, RunnerFactory, RunTensor } from '../runtime/index.ts'
import { checkClipNorm, checkFinite, checkState } from './checks.ts'
import type { EncodedRecord, PrivateEngine } from './training-engine.ts'

type Tensors = Readonly<Record<string, RunTensor>>

/** What a task brings: its two graphs, and how records of type R become their inputs. */
export interface EngineParts<R extends EncodedRecord> {
  readonly schema: AdapterSchema
  /** Makes each of the two graphs ready when it is first needed. */
  readonly createRunner: RunnerFactory
  /** Names of trained tensors to the graph of the private step: `norms`, `losses` and a grid sum for each. */
  training(trained: readonly string[]): Graph
  inference(): Graph
  /** The records, if they are the task's and fit the model; those for inference need no labels. Throws what is wrong. */
  checked(records: readonly EncodedRecord[], purpose: 'training' | 'inference'): readonly R[]
  /** Positions in `records`, each in exactly one micro-batch. */
  batches(records: readonly R[]): Iterable<readonly number[]>
  pack(records: readonly R[], members: readonly number[]): Tensors
}

export interface GraphEngine extends PrivateEngine {
  /** Runs the inference graph over all records; `collect` sees the members' positions and the outputs. */
  infer(
    records: readonly EncodedRecord[],
    state: AdapterState,
    collect: (members: readonly number[], outputs: Tensors) => void,
  ): Promise<void>
}

/** The private step over micro-batches, for any task that is written as graphs. */
export function graphEngine<R extends EncodedRecord>(parts: EngineParts<R>): GraphEngine {
  const { schema, createRunner } = parts
  const trained = trainedSpecs(schema)
  const training = lazy(() => createRunner(parts.training(trained.map(({ name }) => name)), 'private step'))
  const inference = lazy(() => createRunner(parts.inference(), 'inference'))
  const enqueue = queue()

  const sweep = async (
    runner: GraphRunner,
    records: readonly R[],
    inputs: Tensors,
    collect: (members: readonly number[], outputs: Tensors) => void,
  ): Promise<void> => {
    for (const members of parts.batches(records)) {
      collect(members, await runner.run({ ...inputs, ...parts.pack(records, members) }))
    }
  }

  return {
    schema,
    clippedLotSum: (lot, state, clipNorm) =>
      enqueue(async () => {
        checkClipNorm(clipNorm)
        const factors = byName(checkState(schema, state))
        const records = parts.checked(lot, 'training')
        const inputs = { ...factors, clipNorm: { shape: [], data: Float32Array.of(clipNorm) } }
        const gridSum = trained.map(({ shape }) => new Float64Array(sizeOf(shape)))
        const norms = new Float32Array(records.length)
        const losses = new Float32Array(records.length)
        if (records.length === 0) return { gridSum, norms, losses }
        await sweep(await training.get(), records, inputs, (members, outputs) => {
          trained.forEach(({ name }, index) => {
            addTo(gridSum[index]!, outputs[gridSumName(name)]!.data)
          })
          members.forEach((position, row) => {
            norms[position] = outputs.norms!.data[row]!
            losses[position] = outputs.losses!.data[row]!
          })
        })
        checkFinite(norms, 'gradient norm')
        checkFinite(losses, 'loss')
        return { gridSum, norms, losses }
      }),
    infer: (given, state, collect) =>
      enqueue(async () => {
        const inputs = byName(checkState(schema, state))
        const records = parts.checked(given, 'inference')
        await sweep(await inference.get(), records, inputs, collect)
      }),
    [Symbol.asyncDispose]: () =>
      enqueue(async () => {
        for (const runner of [training, inference]) await (await runner.current())?.[Symbol.asyncDispose]()
      }),
  }
}

function byName(tensors: readonly ({ readonly name: string } & RunTensor)[]): Tensors {
  return Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data }]))
}

/** Adds integers exactly: both sides are far below 2^53. */
function addTo(sum: Float64Array, values: ArrayLike<number>): void {
  for (let index = 0; index < sum.length; index++) sum[index] = sum[index]! + values[index]!
}

/** A value that is made at most once, when it is first asked for. */
function lazy<T>(make: () => Promise<T>): { get(): Promise<T>; current(): Promise<T | undefined> } {
  let made: Promise<T> | undefined
  return {
    get: () => {
      made ??= make()
      return made
    },
    current: async () => await made?.catch(() => undefined),
  }
}

/** Runs tasks one after the other, in the order of the calls; a failed task does not hold up the next. */
function queue(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}
