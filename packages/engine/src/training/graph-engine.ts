import type { Graph } from '@fedsvd/core/autodiff'
import type { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterSchema, type AdapterState, trainedSpecs } from '@fedsvd/core/lora'
import { gradientName } from '@fedsvd/core/models'
import type { GradientPart } from '@fedsvd/core/privacy'
import { sizeOf } from '@fedsvd/core/tensor'
import type { RunnerFactory, RunTensor } from '../runtime/index.ts'
import { checkState, requireSound } from './checks.ts'
import type { GradientSource } from './gradient-source.ts'
import { sumOfLot } from './lot-sum.ts'
import { type BatchShape, microBatches, paddedLength, shapeFor } from './micro-batches.ts'
import type { EncodedRecord, PrivateEngine, RecordGradient } from './training-engine.ts'

type Tensors = Readonly<Record<string, RunTensor>>

/** What a task brings: its two graphs, and how records of type R become their inputs. */
export interface EngineParts<R extends EncodedRecord> {
  readonly schema: AdapterSchema
  /** Places that the model has. */
  readonly positions: number
  /** Most places of a micro-batch. */
  readonly maxTokensPerMicroBatch: number
  /** Makes each of the two graphs ready when it is first needed. */
  readonly createRunner: RunnerFactory
  /** Names of trained tensors to the graph of the private step: `losses`, and the gradients of each. */
  training(trained: readonly string[]): Graph
  inference(): Graph
  /**
   * What is wrong with a record, if it is not the task's or does not fit the model; one for inference needs no label.
   */
  fault(record: EncodedRecord, purpose: 'training' | 'inference'): FedsvdError | undefined
  /** Targets of a record that {@link fault} has passed; 0 where it has one label. */
  targets(record: R): number
  pack(records: readonly R[], shape: BatchShape): Tensors
}

export interface GraphEngine extends PrivateEngine {
  /** Runs the inference graph over all records; `collect` sees the members' positions and the outputs. */
  infer(
    records: readonly EncodedRecord[],
    state: AdapterState,
    collect: (members: readonly number[], outputs: Tensors) => void,
  ): Promise<void>
}

/**
 * A product with a single row takes another path through the runtime, with another order of addition; two rows do not.
 */
const MIN_ROWS = 2

/** Most records of a micro-batch for inference. */
const MAX_RECORDS = 64

/** The private step over micro-batches, for any task that is written as graphs. */
export function graphEngine<R extends EncodedRecord>(parts: EngineParts<R>): GraphEngine {
  const { schema, createRunner, positions, maxTokensPerMicroBatch } = parts
  const trained = trainedSpecs(schema)
  const sizes = trained.map(({ shape }) => sizeOf(shape))
  const limits = { positions, maxTokensPerMicroBatch, dimension: sizes.reduce((sum, size) => sum + size, 0) }
  const training = lazy(() => createRunner(parts.training(trained.map(({ name }) => name)), 'private step'))
  const inference = lazy(() => createRunner(parts.inference(), 'inference'))
  const enqueue = queue()

  const step = async (records: readonly R[], shape: BatchShape, inputs: Tensors): Promise<RecordGradient[]> => {
    const runner = await training.get()
    const outputs = await runner.run({ ...inputs, ...parts.pack(records, shape) })
    return records.map((_, row) => ({
      loss: outputs.losses!.data[row]!,
      gradient: trained.map(({ name }, t) => {
        const rows = outputs[gradientName(name)]!.data as Float32Array
        return rows.subarray(row * sizes[t]!, (row + 1) * sizes[t]!)
      }),
    }))
  }
  const shapeOf = (record: R): BatchShape => shapeFor(record.tokenIds.length, parts.targets(record), limits)
  const gradientsWith = (inputs: Tensors): GradientSource<R> => ({
    accepted: (record) => (parts.fault(record, 'training') ? undefined : (record as R)),
    shapeOf,
    gradients: async (records, shape) => gradientsOnly(await enqueue(() => step(records, shape, inputs))),
  })

  return {
    schema,
    verify: async () => {},
    rowsFor: (record) => shapeOf(record as R).rows,
    clippedLotSum: async (lot, state, clipNorm, options) => {
      const inputs = byName(checkState(schema, state))
      return await sumOfLot(lot, { specs: trained, clipNorm }, gradientsWith(inputs), options)
    },
    recordGradients: (given, state) =>
      enqueue(async () => {
        const inputs = byName(checkState(schema, state))
        requireSound(given, (record) => parts.fault(record, 'training'))
        const records = given as readonly R[]
        const found: RecordGradient[] = []
        const byShape = new Map<string, { readonly shape: BatchShape; readonly members: number[] }>()
        for (const [position, record] of records.entries()) {
          const shape = shapeOf(record)
          const key = `${shape.length} ${shape.targets}`
          if (!byShape.has(key)) byShape.set(key, { shape, members: [] })
          byShape.get(key)!.members.push(position)
        }
        for (const { shape, members: all } of byShape.values()) {
          for (let start = 0; start < all.length; start += shape.rows) {
            const members = all.slice(start, start + shape.rows)
            const batch = members.map((position) => records[position]!)
            for (const [row, gradient] of (await step(batch, shape, inputs)).entries()) found[members[row]!] = gradient
          }
        }
        return found
      }),
    infer: (given, state, collect) =>
      enqueue(async () => {
        const inputs = byName(checkState(schema, state))
        requireSound(given, (record) => parts.fault(record, 'inference'))
        const records = given as readonly R[]
        const runner = await inference.get()
        const lengths = records.map(({ tokenIds }) => paddedLength(tokenIds.length, positions))
        for (const members of microBatches(lengths, { maxRecords: MAX_RECORDS, maxTokensPerMicroBatch })) {
          const rows = Math.max(members.length, MIN_ROWS)
          const batch = members.map((position) => records[position]!)
          const targets = Math.max(0, ...batch.map((record) => shapeOf(record).targets))
          const shape = { rows, length: lengths[members.at(-1)!]!, targets }
          collect(members, await runner.run({ ...inputs, ...parts.pack(batch, shape) }))
        }
      }),
    [Symbol.asyncDispose]: () =>
      enqueue(async () => {
        for (const runner of [training, inference]) await (await runner.current())?.[Symbol.asyncDispose]()
      }),
  }
}

function gradientsOnly(found: readonly RecordGradient[]): readonly (readonly GradientPart[])[] {
  return found.map(({ gradient }) => gradient)
}

function byName(tensors: readonly ({ readonly name: string } & RunTensor)[]): Tensors {
  return Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data }]))
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
