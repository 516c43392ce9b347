import {
  gradientsOf,
  summedGradient,
  TINY_GPT2,
  TINY_LLAMA,
  TINY_QWEN2,
  tinyGpt2Checkpoint,
  tinyLlamaCheckpoint,
  waveNamed,
} from '@fedsvd/testing/core/models'
import { describe, expect, it } from 'vitest'
import { type DenseTensor, type GraphBuilder, interpret, type Value } from '../../autodiff/index.ts'
import type { NamedTensor } from '../../tensor/index.ts'
import { type TokenModel, tokenInferenceGraph, tokenTrainingGraph } from '../heads/token-graphs.ts'
import { NO_TARGET, type TokenOutput, tokenHeadSpecs } from '../heads/token-outputs.ts'
import type { LinearLayer } from '../layers/linear-layer.ts'
import { PADDING_ID } from '../layers/padding-id.ts'
import type { Checkpoint } from '../layers/parameters.ts'
import { targetedLayers } from '../targets.ts'
import { gpt2, gpt2Layers } from './gpt2.ts'
import { type LlamaConfig, llama, llamaLayers } from './llama.ts'

const RANK = 2

interface Family {
  readonly layers: readonly LinearLayer[]
  readonly table: NamedTensor
  encode(g: GraphBuilder, tokenIds: Value, adapters: Parameters<TokenModel['encode']>[2]): Value
}

const llamaFamily = (config: LlamaConfig, tied: boolean): Family => {
  const checkpoint: Checkpoint = tinyLlamaCheckpoint(config, tied)
  return {
    layers: llamaLayers(config),
    table: checkpoint.get(tied ? 'model.embed_tokens.weight' : 'lm_head.weight')!,
    encode: (g, ids, adapters) => llama(g, ids, config, checkpoint, adapters),
  }
}

const gpt2Checkpoint = tinyGpt2Checkpoint()
const FAMILIES: Readonly<Record<string, Family>> = {
  gpt2: {
    layers: gpt2Layers(TINY_GPT2),
    table: gpt2Checkpoint.get('transformer.wte.weight')!,
    encode: (g, ids, adapters) => gpt2(g, ids, TINY_GPT2, gpt2Checkpoint, adapters),
  },
  llama: llamaFamily(TINY_LLAMA, false),
  qwen2: llamaFamily(TINY_QWEN2, true),
}

const vocabulary = ({ table }: Family): TokenOutput => ({ kind: 'vocabulary', table })
const TAGS: TokenOutput = { kind: 'tags', classes: 3, headName: 'classifier' }

const modelOf = (family: Family, output: TokenOutput, layers = family.layers): TokenModel => ({
  layers,
  rank: RANK,
  scale: 2,
  width: 8,
  maxTokens: 48,
  output,
  encode: family.encode,
})

function parameters({ layers, output }: TokenModel, amplitudeOfB = 0.3): readonly NamedTensor[] {
  const factors = layers.flatMap(({ name, dIn, dOut }, index) => [
    waveNamed(100 + index, { name: `${name}.lora_A.weight`, shape: [RANK, dIn] }, 0.4),
    waveNamed(200 + index, { name: `${name}.lora_B.weight`, shape: [dOut, RANK] }, amplitudeOfB),
  ])
  return [...factors, ...tokenHeadSpecs(output, 8).map((spec, index) => waveNamed(300 + index, spec, 0.7))]
}

const byName = (tensors: readonly NamedTensor[]) =>
  Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data: Float64Array.from(data) }]))

interface TestRecord {
  readonly ids: readonly number[]
  /** By position; absent where there is no loss. */
  readonly targets: Readonly<Record<number, number>>
}

/** Records as the graphs take them, padded to at least the given length and number of targets. */
function batch(records: readonly TestRecord[], atLeast = { length: 1, targets: 1 }) {
  const length = Math.max(atLeast.length, ...records.map(({ ids }) => ids.length))
  const places = Math.max(atLeast.targets, ...records.map(({ targets }) => Object.keys(targets).length))
  const rows = (width: number, blank: number, row: (record: TestRecord) => readonly number[]): DenseTensor => ({
    shape: [records.length, width],
    data: Float64Array.from(
      records.flatMap((record) => Array.from({ length: width }, (_, at) => row(record)[at] ?? blank)),
    ),
  })
  return {
    tokenIds: rows(length, PADDING_ID, ({ ids }) => ids),
    positions: rows(places, NO_TARGET, ({ targets }) => Object.keys(targets).map(Number)),
    targets: rows(places, NO_TARGET, ({ targets }) => Object.values(targets)),
  }
}

const RECORDS: readonly TestRecord[] = [
  { ids: [3, 1, 4, 1, 5], targets: { 0: 1, 1: 2, 2: 1, 3: 2 } },
  { ids: [9, 2], targets: { 0: 2 } },
  { ids: [6, 5, 3, 18, 8, 9, 7], targets: { 4: 0, 6: 1 } },
]

describe.each(Object.entries(FAMILIES))('%s', (_, family) => {
  describe.each([
    ['next tokens', vocabulary(family)],
    ['tags', TAGS],
  ])('%s', (_, output) => {
    const model = modelOf(family, output)
    const all = parameters(model)
    const base = byName(all)
    const trained = all.map(({ name }) => name)
    const graph = tokenTrainingGraph(model, trained)
    const step = (factors: typeof base, records = RECORDS) => interpret(graph, { ...factors, ...batch(records) })

    it('the gradient of every trained tensor agrees with central differences of the summed loss', () => {
      const results = step(base)
      const directions = trained.map((name, key) => waveNamed(400 + key, { name, shape: base[name]!.shape }, 1).data)
      for (const [at, name] of trained.entries()) {
        const { shape, data } = base[name]!
        const direction = directions[at]!
        const lossAt = (by: number) => {
          const moved = { shape, data: data.map((value, index) => value + by * direction[index]!) }
          return step({ ...base, [name]: moved }).losses!.data.reduce((sum, loss) => sum + loss, 0)
        }
        const h = 1e-5
        const difference = (lossAt(h) - lossAt(-h)) / (2 * h)
        const slope = summedGradient(results, name).reduce((sum, value, i) => sum + value * direction[i]!, 0)
        expect(Math.abs(difference)).toBeGreaterThan(1e-5)
        // constants such as 1 / width enter the graph as float32
        expect(Math.abs(slope / difference - 1)).toBeLessThan(1e-4)
      }
    })

    it('padding, further places without a target and the others of the batch change nothing', () => {
      const run = (records: readonly TestRecord[], atLeast?: { length: number; targets: number }) =>
        interpret(graph, { ...base, ...batch(records, atLeast) })
      const together = run(RECORDS)
      const wide = run(RECORDS, { length: 11, targets: 6 })
      const apart = RECORDS.map((record) => run([record]))
      for (const name of trained) {
        expect(gradientsOf(wide, name)).toEqual(gradientsOf(together, name))
        expect(apart.flatMap((one) => gradientsOf(one, name))).toEqual(gradientsOf(together, name))
      }
      expect(Float64Array.from(apart, ({ losses }) => losses!.data[0]!)).toEqual(together.losses!.data)
      expect(wide.losses!.data).toEqual(together.losses!.data)
    })

    it('a record without targets has the loss 0 and contributes nothing', () => {
      const results = step(base, [{ ids: [4, 5, 6], targets: {} }])
      expect(results.losses!.data).toEqual(Float64Array.of(0))
      for (const name of trained) expect(summedGradient(results, name).every((value) => value === 0)).toBe(true)
    })

    it("a record's loss is the mean of the cross-entropies of its targets", () => {
      const inputs = { ...base, ...batch(RECORDS) }
      const { tokenLosses } = interpret(tokenInferenceGraph(model), inputs)
      const losses = step(base).losses!.data
      const places = tokenLosses!.shape[1]!
      for (const [row, { targets }] of RECORDS.entries()) {
        const count = Object.keys(targets).length
        const own = tokenLosses!.data.subarray(row * places, row * places + count)
        expect(own.reduce((sum, loss) => sum + loss, 0) / count).toBeCloseTo(losses[row]!, 12)
      }
    })
  })

  const inference = (output: TokenOutput, layers = family.layers, amplitudeOfB = 0.3) => {
    const model = modelOf(family, output, layers)
    return (records: readonly TestRecord[]) =>
      interpret(tokenInferenceGraph(model), { ...byName(parameters(model, amplitudeOfB)), ...batch(records) })
  }

  it('a later token never changes what is said at an earlier place, and an earlier one does', () => {
    const run = inference(vocabulary(family))
    const losses = (ids: readonly number[]) => [
      ...run([{ ids, targets: { 0: 5, 1: 6, 2: 7, 3: 8 } }]).tokenLosses!.data,
    ]
    const before = losses([1, 2, 3, 4, 5])
    const after = losses([1, 2, 3, 9, 10])
    expect(after.slice(0, 3)).toEqual(before.slice(0, 3))
    expect(after[3]).not.toBe(before[3])
    expect(losses([1, 11, 3, 4, 5])[3]).not.toBe(before[3])
  })

  it('the order of earlier tokens matters', () => {
    const run = inference(vocabulary(family))
    const last = (ids: readonly number[]) => run([{ ids, targets: { 3: 5 } }]).tokenLosses!.data[0]
    expect(Math.abs(last([1, 2, 3, 4])! - last([2, 1, 3, 4])!)).toBeGreaterThan(1e-3)
  })

  it('with B = 0 it is the base model, bit for bit, and with B it is not', () => {
    const losses = (layers: readonly LinearLayer[], b: number) =>
      inference(vocabulary(family), layers, b)(RECORDS).tokenLosses!.data
    const base = losses([], 0)
    expect(losses(family.layers, 0)).toEqual(base)
    expect(losses(family.layers, 0.3)).not.toEqual(base)
  })
})

describe('the layers that may carry an adapter', () => {
  it("are chosen by the ends of their names, as PEFT's target_modules", () => {
    const names = (targets: readonly string[]) => targetedLayers(gpt2Layers(TINY_GPT2), targets).map(({ name }) => name)
    expect(names(['c_attn'])).toEqual(['transformer.h.0.attn.c_attn', 'transformer.h.1.attn.c_attn'])
    expect(names(['c_proj'])).toHaveLength(4)
    expect(names(['mlp.c_proj'])).toHaveLength(2)
    expect(names(['all-linear'])).toHaveLength(8)
    expect(() => names(['attn'])).toThrow(/ADAPTER_INVALID: expected targets among c_attn, c_proj, c_fc, got attn/)
  })

  it('have the sizes of grouped-query attention', () => {
    expect(targetedLayers(llamaLayers(TINY_LLAMA), ['q_proj', 'v_proj']).slice(0, 2)).toEqual([
      { name: 'model.layers.0.self_attn.q_proj', dIn: 8, dOut: 16 },
      { name: 'model.layers.0.self_attn.v_proj', dIn: 8, dOut: 8 },
    ])
  })
})

it('refuses texts that would not fit into a sliding window', () => {
  const narrow = { ...TINY_LLAMA, slidingWindow: 32 }
  const build = (config: LlamaConfig) => () =>
    tokenInferenceGraph({
      ...modelOf(FAMILIES.llama!, vocabulary(FAMILIES.llama!)),
      encode: llamaFamily(config, false).encode,
    })
  expect(build(narrow)).toThrow(/CONFIG_INVALID: expected maxTokens of at most 32.*got 48/)
  expect(build({ ...narrow, maxTokens: 32 })).not.toThrow()
})
