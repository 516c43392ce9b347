import type { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, initialState } from '@fedsvd/core/lora'
import { fillGaussian, RandomBits, seededSource, uniformBelow } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { IGNORED, recordsInMemory } from '../datasets/index.ts'
import { loadRuntime, type RunnerFactory } from '../runtime/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import { requireCasts } from './casts.ts'
import type { RecordLimits } from './checks.ts'
import { lotOfAll } from './lots/index.ts'
import type { EncodedRecord, PrivateEngine, RecordGradient } from './training-engine.ts'
import { lengthOf, relativeDistance, unfit } from './unfit.ts'

/**
 * How far losses, norms and gradients may be from the reference, beside their size: float32 in another order is within
 * 1e-4.
 */
const TOLERANCE = 0.01

const MADE_UP = "made-up records at the model's own sizes"

/**
 * Settings under which the tests of this repository find each record's gradient the same, bit for bit, in any company.
 */
export function isVerifiedRuntime({ threads, runtime = 'onnxruntime', executionProvider = 'cpu' }: RuntimeSettings) {
  if (runtime === 'onnxruntime') return executionProvider === 'cpu' && threads === 1
  return runtime === 'tfjs-cpu' || runtime === 'tfjs-wasm'
}

/** What records of an engine look like. */
export interface RecordKind extends RecordLimits {
  readonly answer: 'label' | 'targets'
}

/** How an engine computes, and what its runtime is held against. */
export interface SelfTestSettings extends RuntimeSettings {
  /** In place of the runtime that the settings name. */
  readonly createRunner?: RunnerFactory | undefined
  /** Holds the runtime against stored answers. @throws FedsvdError RUNTIME_UNAVAILABLE, which names what is wrong */
  readonly requireKnownAnswers?: ((createRunner: RunnerFactory) => Promise<void>) | undefined
}

/**
 * The engine under the given settings, with a self-test unless {@link isVerifiedRuntime}.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE
 */
export async function selfTested<E extends PrivateEngine>(
  settings: SelfTestSettings,
  kind: RecordKind,
  make: (createRunner: RunnerFactory) => E,
): Promise<E> {
  const createRunner = settings.createRunner ?? (await loadRuntime(settings))
  const engine = make(createRunner)
  if (isVerifiedRuntime(settings)) return engine
  const { requireKnownAnswers } = settings
  const reference = async () => make(await loadRuntime({ threads: 1 }))
  return withSelfTest(engine, kind, { createRunner, reference, requireKnownAnswers })
}

/** What an engine is tested with. */
export interface SelfTestParts {
  /** The runtime that the engine computes with. */
  readonly createRunner: RunnerFactory
  /** Makes an engine that is trusted; it is disposed of after the test. */
  readonly reference: () => Promise<PrivateEngine>
  readonly requireKnownAnswers?: SelfTestSettings['requireKnownAnswers']
}

/**
 * The engine, with a test of itself that is made once, by `verify` or before the first lot, with the settings in force:
 *
 * - casts, and the losses, norms and integers of tiny models, are those that are stored with the engine. Two runtimes
 *   may be wrong in the same way; what PyTorch computed is not made by any of them;
 * - at the model's own sizes, a made-up record has the same gradient and loss, bit for bit, alone, in any row of its
 *   micro-batch and beside any others: that its integers are its own is what the sensitivity of a lot's sum rests on;
 * - and its loss, norm, gradient and integers are those of the reference, to {@link TOLERANCE}. A device that computes
 *   something else, and the same in every company, protects the data but does not train.
 *
 * It can refute a runtime and cannot prove one.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE from `verify` and `clippedLotSum`, every time
 */
export function withSelfTest<E extends PrivateEngine>(engine: E, kind: RecordKind, parts: SelfTestParts): E {
  let test: Promise<void> | undefined
  const verify = async (): Promise<void> => {
    test ??= runSelfTest(engine, kind, parts)
    await test
  }
  return {
    ...engine,
    verify,
    clippedLotSum: async (lot, state, clipNorm, options) => {
      await verify()
      return await engine.clippedLotSum(lot, state, clipNorm, options)
    },
  }
}

async function runSelfTest(
  engine: PrivateEngine,
  kind: RecordKind,
  { createRunner, reference: makeReference, requireKnownAnswers }: SelfTestParts,
): Promise<void> {
  await requireCasts(createRunner)
  await requireKnownAnswers?.(createRunner)
  const state = madeUpState(engine)
  const lengths = new Set([kind.maxTokens, Math.ceil(kind.maxTokens / 2), 1])
  await using reference = await makeReference()
  for (const length of lengths) {
    const [probe] = madeUpRecords(kind, { length, count: 1, key: 'probe' })
    const count = engine.rowsFor(probe!)
    const records = madeUpRecords(kind, { length, count, key: 'records' })
    const gradients = await engine.recordGradients(records, state)
    for (const [members, company] of companies(records, madeUpRecords(kind, { length, count, key: 'others' }))) {
      const found = await engine.recordGradients(company, state)
      for (const [member, row] of members) requireSame(gradients[member]!, found[row]!)
    }
    await requireClose(records[0]!, { engine, reference, state })
  }
}

/** The records in other rows, beside others and alone, each with pairs of a record's index and its row. */
function* companies(
  records: readonly EncodedRecord[],
  others: readonly EncodedRecord[],
): Generator<readonly [readonly (readonly [number, number])[], readonly EncodedRecord[]]> {
  const count = records.length
  const placed = (rowOf: (member: number) => number): (readonly [number, number])[] =>
    records.map((_, member) => [member, rowOf(member)] as const)
  yield [placed((member) => count - 1 - member), records.toReversed()]
  yield [placed((member) => (member + 1) % count), [records[count - 1]!, ...records.slice(0, -1)]]
  const middle = Math.floor(count / 2)
  yield [[[0, middle]], others.with(middle, records[0]!)]
  yield [[[0, 0]], [records[0]!]]
  yield [[[count - 1, 0]], [records[count - 1]!]]
}

function requireSame(expected: RecordGradient, found: RecordGradient): void {
  const same =
    expected.loss === found.loss &&
    expected.gradient.every((part, t) => part.every((value, at) => value === found.gradient[t]![at]))
  if (same) return
  throw unfit(
    'a runtime on which the gradient of a record is the same whatever else is in its batch',
    'gradients that change with the batch, so that the noise would not cover them',
    MADE_UP,
  )
}

interface Compared {
  readonly engine: PrivateEngine
  readonly reference: PrivateEngine
  readonly state: AdapterState
}

/** Loss, norm, gradient, and the integers that would be summed, where the record is about as long as the clip norm. */
async function requireClose(record: EncodedRecord, { engine, reference, state }: Compared): Promise<void> {
  const [[expected], [found]] = [
    await reference.recordGradients([record], state),
    await engine.recordGradients([record], state),
  ]
  const norm = lengthOf(expected!.gradient)
  const requireNumber = (what: string, value: number, wanted: number): void => {
    if (Math.abs(value - wanted) <= TOLERANCE * Math.abs(wanted)) return
    throw unlikeReference(what, `${value} in place of ${wanted}`)
  }
  const requireVector = (what: string, value: Vector, wanted: Vector): void => {
    const distance = relativeDistance(value, wanted)
    if (distance <= TOLERANCE) return
    throw unlikeReference(what, `a distance of ${distance} of their length`)
  }
  requireNumber('losses', found!.loss, expected!.loss)
  requireNumber('norms of gradients', lengthOf(found!.gradient), norm)
  requireVector('gradients', found!.gradient, expected!.gradient)
  const integersOf = async (of: PrivateEngine) => {
    return (await of.clippedLotSum(lotOfAll(recordsInMemory([record])), state, norm || 1)).gridSum
  }
  requireVector('integers', await integersOf(engine), await integersOf(reference))
}

type Vector = readonly ArrayLike<number>[]

function unlikeReference(what: string, got: string): FedsvdError {
  return unfit(`${what} as onnxruntime on the CPU has them, to ${100 * TOLERANCE} %`, got, MADE_UP)
}

function madeUpRecords(
  { vocabularySize, classes, answer }: RecordKind,
  { length, count, key }: { readonly length: number; readonly count: number; readonly key: string },
): EncodedRecord[] {
  const bits = RandomBits.from(seededSource('self-test', key))
  return Array.from({ length: count }, (_, n) => {
    const tokenIds = Int32Array.from({ length }, () => uniformBelow(bits, vocabularySize))
    if (answer === 'label') return { tokenIds, label: n % classes }
    return { tokenIds, targets: tokenIds.map((_, at) => (at % 3 === 2 ? IGNORED : uniformBelow(bits, classes))) }
  })
}

/** Every trained tensor matters. */
function madeUpState({ schema }: PrivateEngine): AdapterState {
  const initial = initialState(schema, { seed: 'self-test' })
  const filled = (tensor: NamedTensor): NamedTensor => {
    const data = new Float32Array(tensor.data.length)
    fillGaussian(seededSource('self-test', tensor.name), data)
    return { ...tensor, data: data.map((value) => 0.05 * value) }
  }
  return { ...initial, b: initial.b.map(filled), head: initial.head.map(filled) }
}
