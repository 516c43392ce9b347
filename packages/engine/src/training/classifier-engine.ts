import { type AdapterSchema, type AdapterState, trainedSpecs } from '@fedsvd/core/adapters'
import { type ClassifierModel, gridSumName, inferenceGraph, PADDING_ID, trainingGraph } from '@fedsvd/core/model'
import { GRID_BITS, MAX_MICRO_BATCH } from '@fedsvd/core/privacy'
import { sizeOf } from '@fedsvd/core/tensor'
import type { GraphRunner, RunnerFactory, RunTensor } from '../runtime/index.ts'
import { checkClipNorm, checkFinite, checkLabels, checkState, checkTokens, type RecordLimits } from './checks.ts'
import { microBatches, padBatch, paddedLength } from './micro-batches.ts'
import type { EncodedRecord, TrainingEngine } from './training-engine.ts'

export interface ClassifierEngineOptions {
  readonly model: ClassifierModel
  readonly schema: AdapterSchema
  readonly limits: RecordLimits
  /** Most places of a micro-batch: enough to keep the matrix products busy, few enough to stay in the cache. */
  readonly maxPlaces: number
  /** Makes each of the two graphs ready when it is first needed. */
  readonly createRunner: RunnerFactory
}

/** A {@link TrainingEngine} for any encoder that is written as a graph. */
export function classifierEngine(options: ClassifierEngineOptions): TrainingEngine {
  const { model, schema, limits, maxPlaces, createRunner } = options
  const trained = trainedSpecs(schema)
  const training = lazy(() => {
    const names = trained.map(({ name }) => name)
    return createRunner(trainingGraph(model, names, GRID_BITS), 'private step')
  })
  const inference = lazy(() => createRunner(inferenceGraph(model), 'inference'))
  const enqueue = queue()

  /** Runs a graph over all records in micro-batches; `collect` sees the members' positions and the outputs. */
  const sweep = async (
    runner: GraphRunner,
    records: readonly EncodedRecord[],
    inputs: Readonly<Record<string, RunTensor>>,
    collect: (members: readonly number[], outputs: Readonly<Record<string, RunTensor>>) => void,
  ): Promise<void> => {
    const padding = { paddingId: PADDING_ID, maxTokens: limits.positions }
    const lengths = records.map(({ tokenIds }) => paddedLength(tokenIds.length, limits.positions))
    for (const members of microBatches(lengths, { maxRecords: MAX_MICRO_BATCH, maxPlaces })) {
      collect(members, await runner.run({ ...inputs, ...padBatch(records, members, padding) }))
    }
  }

  const infer = async (
    output: 'logits' | 'features',
    width: number,
    records: readonly EncodedRecord[],
    state: AdapterState,
  ): Promise<Float32Array> => {
    const inputs = byName(checkState(schema, state))
    checkTokens(records, limits)
    const rows = new Float32Array(records.length * width)
    await sweep(await inference.get(), records, inputs, (members, outputs) => {
      const data = outputs[output]!.data as Float32Array
      members.forEach((position, row) => {
        rows.set(data.subarray(row * width, (row + 1) * width), position * width)
      })
    })
    checkFinite(rows, output)
    return rows
  }

  return {
    schema,
    clippedLotSum: (records, state, clipNorm) =>
      enqueue(async () => {
        checkClipNorm(clipNorm)
        const factors = byName(checkState(schema, state))
        checkTokens(records, limits)
        checkLabels(records, limits)
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
    logits: (records, state) => enqueue(() => infer('logits', model.classes, records, state)),
    features: (records, state) => enqueue(() => infer('features', model.featureWidth, records, state)),
    [Symbol.asyncDispose]: () =>
      enqueue(async () => {
        for (const runner of [training, inference]) await (await runner.current())?.[Symbol.asyncDispose]()
      }),
  }
}

function byName(tensors: readonly ({ readonly name: string } & RunTensor)[]): Readonly<Record<string, RunTensor>> {
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
