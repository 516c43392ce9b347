import { type AdapterSchema, type AdapterState, specOfA, specOfB, type Task } from '@fedsvd/core/lora'
import { type Checkpoint, type ConfigFields, DECODER_TYPES, decoderConfig, encoderConfig } from '@fedsvd/core/models'
import { gridOf } from '@fedsvd/core/privacy'
import { type NamedTensor, sizeOf, type TensorSpec } from '@fedsvd/core/tensor'
import { recordsInMemory } from '../datasets/index.ts'
import type { RunnerFactory } from '../runtime/index.ts'
import { createDecoderEngine, decoderSchema } from './decoder.ts'
import { createEncoderEngine, encoderSchema } from './encoder.ts'
import { lotOfAll } from './lots/index.ts'
import type { EncodedRecord, TaskEngine } from './training-engine.ts'
import { lengthOf, relativeDistance, unfit } from './unfit.ts'
import cases from './vectors/known-answers.json' with { type: 'json' }

/** Integers of every record at one clip norm: all trained tensors, one after the other. */
interface Clipped {
  readonly clipNorm: number
  readonly units: readonly (readonly number[])[]
}

/** A model in miniature, records, and what PyTorch makes of them in float64: written by scripts/known_answers.py. */
export interface KnownAnswer {
  readonly config: ConfigFields
  readonly task: Task
  readonly rank: number
  readonly alpha: number
  readonly classes: number
  readonly featureScale: number
  readonly targets: readonly string[]
  readonly tensors: readonly (readonly [name: string, shape: readonly number[]])[]
  readonly records: readonly { readonly tokenIds: readonly number[]; label?: number; targets?: readonly number[] }[]
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  /** At a clip norm at which float32 leaves every integer as it is. */
  readonly fine: Clipped
  /** At one that some records are longer than. */
  readonly clipped: Clipped
}

export const KNOWN_ANSWERS = cases as unknown as readonly KnownAnswer[]

/** Of losses, norms and clipped vectors beside their size: float32 in another order is within 1e-5. */
const TOLERANCE = 1e-3

/**
 * Most places of a micro-batch: so many rows that the tensors are not so short that a library computes them on the
 * host.
 */
const MAX_PLACES = 1024

/**
 * Holds a runtime against stored losses, gradient norms and integers of three tiny models, which it may not have made
 * itself: a runtime that is held against another one can be wrong in the same way.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE, which names what is wrong
 */
export async function requireKnownAnswers(createRunner: RunnerFactory): Promise<void> {
  for (const known of KNOWN_ANSWERS) await requireKnownAnswer(known, createRunner)
}

async function requireKnownAnswer(known: KnownAnswer, createRunner: RunnerFactory): Promise<void> {
  const { config, task, losses, norms, fine, clipped } = known
  const on = `the stored records of a ${String(config.model_type)} in miniature (${task})`
  const off = (what: string, found: number, expected: number) =>
    unfit(`${what} as stored, to ${100 * TOLERANCE} %`, `${found} in place of ${expected}`, on)
  await using engine = await engineOf(known, createRunner)
  const state = stateOf(engine.schema)
  const records = known.records.map(({ tokenIds, label, targets }): EncodedRecord => {
    const ids = Int32Array.from(tokenIds)
    return targets ? { tokenIds: ids, targets: Int32Array.from(targets) } : { tokenIds: ids, label: label! }
  })
  for (const [n, { loss, gradient }] of (await engine.recordGradients(records, state)).entries()) {
    if (!isClose(loss, losses[n]!)) throw off('losses', loss, losses[n]!)
    const norm = lengthOf(gradient)
    if (!isClose(norm, norms[n]!)) throw off('norms of gradients', norm, norms[n]!)
  }
  const integersAt = async (record: EncodedRecord, clipNorm: number): Promise<readonly number[]> => {
    const { gridSum } = await engine.clippedLotSum(lotOfAll(recordsInMemory([record])), state, clipNorm)
    return gridSum.flatMap((tensor) => Array.from(tensor))
  }
  for (const [n, record] of records.entries()) {
    const found = await integersAt(record, fine.clipNorm)
    const wrong = fine.units[n]!.findIndex((value, at) => value !== found[at])
    if (wrong >= 0) {
      throw unfit(
        `integers as stored, in grid units of ${gridOf(fine.clipNorm)}`,
        `${found[wrong]} in place of ${fine.units[n]![wrong]}`,
        on,
      )
    }
    const distance = relativeDistance([await integersAt(record, clipped.clipNorm)], [clipped.units[n]!])
    if (!(distance <= TOLERANCE)) throw off('the distance to the clipped integers', distance, 0)
  }
}

function isClose(found: number, expected: number): boolean {
  return Math.abs(found - expected) <= TOLERANCE * Math.abs(expected)
}

async function engineOf(known: KnownAnswer, createRunner: RunnerFactory): Promise<TaskEngine> {
  const { config, tensors } = known
  const weights: Checkpoint = new Map(
    tensors.map(([name, shape], key) => [name, weightOf(key, { name, shape }, shape.length === 2 ? 0.4 : 0.3)]),
  )
  const terms = { ...known, headMode: 'trained', threads: 1, maxTokensPerMicroBatch: MAX_PLACES, createRunner } as const
  const checkpoint = { config, tensors: () => Promise.resolve(weights) }
  if ((DECODER_TYPES as readonly unknown[]).includes(config.model_type)) {
    return await createDecoderEngine(checkpoint, { ...terms, schema: decoderSchema(decoderConfig(config), terms) })
  }
  return await createEncoderEngine(checkpoint, { ...terms, schema: encoderSchema(encoderConfig(config), terms) })
}

function stateOf(schema: AdapterSchema): AdapterState {
  return {
    basis: 0,
    a: schema.layers.map((layer, at) => irregular(100 + at, specOfA(schema, layer), 0.4)),
    b: schema.layers.map((layer, at) => irregular(200 + at, specOfB(schema, layer), 0.3)),
    head: schema.head.map((spec, at) => irregular(300 + at, spec, 0.7)),
  }
}

/** Gains are about 1. */
function weightOf(key: number, spec: TensorSpec, amplitude: number): NamedTensor {
  const tensor = irregular(key, spec, amplitude)
  const isGain = spec.shape.length === 1 && spec.name.endsWith('.weight')
  return isGain ? { ...tensor, data: tensor.data.map((value) => 1 + value) } : tensor
}

/** The values that the oracle has too: fixed, irregular, in [-amplitude, amplitude]. */
function irregular(key: number, spec: TensorSpec, amplitude: number): NamedTensor {
  const valueAt = (index: number) => amplitude * Math.sin(12.9898 * (index + 1) + 78.233 * (key + 1) ** 2)
  return { ...spec, data: Float32Array.from({ length: sizeOf(spec.shape) }, (_, index) => valueAt(index)) }
}
