import { type AdapterState, initialState } from '@fedsvd/core/adapters'
import { FedsvdError } from '@fedsvd/core/errors'
import { fillGaussian, RandomBits, seededSource, uniformBelow } from '@fedsvd/core/random'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { IGNORED } from '../data/index.ts'
import { lotOfAll, recordsInMemory } from '../lots/index.ts'
import type { RuntimeSettings } from '../settings/index.ts'
import type { RecordLimits } from './checks.ts'
import type { EncodedRecord, PrivateEngine } from './training-engine.ts'

/** Made-up records in a trial: several micro-batches of several lengths. */
const RECORDS = 24

const CLIP_NORM = 1

/** Runtimes that the tests hold, bit for bit, to results that do not depend on the batch. */
export function isProven({ runtime = 'onnxruntime', executionProvider = 'cpu' }: RuntimeSettings): boolean {
  if (runtime === 'onnxruntime') return executionProvider === 'cpu'
  return runtime === 'tfjs-cpu' || runtime === 'tfjs-wasm'
}

/**
 * The engine, with a trial before its first lot: made-up records give the same integers together, in other company and
 * alone, or the lot is refused and so is every later one. The sensitivity of a lot's sum rests on that.
 *
 * A trial can refute a runtime and cannot prove one.
 *
 * @throws FedsvdError RUNTIME_UNAVAILABLE from `clippedLotSum`
 */
export function triedFirst<E extends PrivateEngine>(
  engine: E,
  limits: RecordLimits,
  kind: 'label' | 'targets' = 'label',
): E {
  let trial: Promise<void> | undefined
  return {
    ...engine,
    clippedLotSum: async (lot, state, clipNorm, settings) => {
      trial ??= tryBatches(engine, madeUpRecords(limits, kind))
      await trial
      return await engine.clippedLotSum(lot, state, clipNorm, settings)
    },
  }
}

async function tryBatches(engine: PrivateEngine, records: readonly EncodedRecord[]): Promise<void> {
  const state = madeUpState(engine)
  const sumOf = async (lots: readonly (readonly EncodedRecord[])[]): Promise<readonly Float64Array[]> => {
    const sums: (readonly Float64Array[])[] = []
    for (const lot of lots) {
      sums.push((await engine.clippedLotSum(lotOfAll(recordsInMemory(lot)), state, CLIP_NORM)).units)
    }
    return sums[0]!.map((tensor, index) =>
      tensor.map((_, at) => sums.reduce((total, units) => total + units[index]![at]!, 0)),
    )
  }
  const together = await sumOf([records])
  const thirds = [0, 1, 2].map((part) => records.filter((_, n) => n % 3 === part))
  for (const apart of [await sumOf(thirds), await sumOf(records.map((record) => [record]))]) {
    if (apart.every((tensor, index) => tensor.every((units, at) => units === together[index]![at]))) continue
    throw new FedsvdError('RUNTIME_UNAVAILABLE', {
      expected: 'a runtime on which a record contributes the same integers whatever else is in its batch',
      got: 'integers that change with the batch, so that the noise would not cover them',
      remedy: 'Train with the runtime onnxruntime on the execution provider cpu',
    })
  }
}

function madeUpRecords(
  { maxTokens, vocabularySize, classes }: RecordLimits,
  kind: 'label' | 'targets',
): EncodedRecord[] {
  const bits = RandomBits.from(seededSource('trial', 'records'))
  return Array.from({ length: RECORDS }, (_, n) => {
    const length = n === 0 ? maxTokens : 1 + uniformBelow(bits, maxTokens)
    const tokenIds = Int32Array.from({ length }, () => uniformBelow(bits, vocabularySize))
    if (kind === 'label') return { tokenIds, label: n % classes }
    return { tokenIds, targets: tokenIds.map((_, at) => (at % 3 === 2 ? IGNORED : uniformBelow(bits, classes))) }
  })
}

/** Every trained tensor matters. */
function madeUpState({ schema }: PrivateEngine): AdapterState {
  const initial = initialState(schema, { seed: 'trial' })
  const filled = (tensor: NamedTensor): NamedTensor => {
    const data = new Float32Array(tensor.data.length)
    fillGaussian(seededSource('trial', tensor.name), data)
    return { ...tensor, data: data.map((value) => 0.05 * value) }
  }
  return { ...initial, b: initial.b.map(filled), head: initial.head.map(filled) }
}
