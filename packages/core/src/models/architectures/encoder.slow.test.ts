import { gradientsOf, summedGradient, TINY_ENCODERS, tinyEncoder, waveNamed } from '@fedsvd/testing/core/models'
import { describe, expect, it } from 'vitest'
import {
  BATCH,
  type DenseTensor,
  type Graph,
  GraphBuilder,
  interpret,
  SEQUENCE,
  type Value,
} from '../../autodiff/index.ts'
import type { NamedTensor } from '../../tensor/index.ts'
import { encoderHead } from '../heads/classification-head.ts'
import { type ClassifierModel, inferenceGraph, trainingGraph } from '../heads/classifier-graphs.ts'
import type { LoraAdapters } from '../layers/linear.ts'
import { PADDING_ID } from '../layers/padding-id.ts'
import { targetedLayers } from '../targets.ts'
import { encoderFeatures, encoderLayers, encoderStates } from './encoder.ts'
import { encoderConfig } from './encoder-config.ts'
import { ENCODER_DEFAULT_TARGETS, encoderTensorName } from './encoder-names.ts'

type Family = keyof typeof TINY_ENCODERS
const FAMILIES = Object.keys(TINY_ENCODERS) as Family[]
const [CLASSES, RANK] = [3, 2]

function modelOf(family: Family, targets: readonly string[] = ['all-linear']): ClassifierModel {
  const { config, checkpoint } = tinyEncoder(family)
  return {
    layers: targetedLayers(encoderLayers(config), targets),
    rank: RANK,
    scale: 2,
    featureWidth: config.width,
    featureScale: 1.5,
    classes: CLASSES,
    head: encoderHead(config, CLASSES),
    encode: (g, tokenIds, adapters, typeIds) => encoderFeatures(g, { tokenIds, typeIds }, config, checkpoint, adapters),
  }
}

/** Factors and head, all different from zero. */
function parameters({ layers, head }: ClassifierModel): readonly NamedTensor[] {
  const factors = layers.flatMap(({ name, dIn, dOut }, index) => [
    waveNamed(100 + index, { name: `${name}.lora_A.weight`, shape: [RANK, dIn] }, 0.5),
    waveNamed(200 + index, { name: `${name}.lora_B.weight`, shape: [dOut, RANK] }, 0.4),
  ])
  return [...factors, ...head!.specs.map((spec, index) => waveNamed(300 + index, spec, 0.7))]
}

const byName = (tensors: readonly NamedTensor[]): Record<string, DenseTensor> =>
  Object.fromEntries(tensors.map(({ name, shape, data }) => [name, { shape, data: Float64Array.from(data) }]))

const RECORDS = [[3, 1, 4, 1], [5, 0, 2], [10], [6, 5, 3, 5, 8, 9]] as const
const LABELS = [0, 2, 1, 2]
/** Which text a token belongs to: the last token of every record to the second. */
const typesOf = (ids: readonly number[]) => ids.map((_, place) => Number(place > 0 && place === ids.length - 1))

function batch(records: readonly (readonly number[])[], length = Math.max(...records.map((ids) => ids.length))) {
  const rows = (values: (ids: readonly number[]) => readonly number[], filler: number) => ({
    shape: [records.length, length],
    data: Float64Array.from(
      records.flatMap((ids) => [...values(ids), ...Array.from({ length: length - ids.length }, () => filler)]),
    ),
  })
  return { tokenIds: rows((ids) => ids, PADDING_ID), typeIds: rows(typesOf, 0) }
}

function stepOf(model: ClassifierModel) {
  const names = parameters(model).map(({ name }) => name)
  const graph = trainingGraph(model, names)
  return (
    values: Readonly<Record<string, DenseTensor>>,
    records = RECORDS as readonly (readonly number[])[],
    labels = LABELS,
    length?: number,
  ) =>
    interpret(graph, {
      ...values,
      ...batch(records, length),
      labels: { shape: [labels.length], data: Float64Array.from(labels) },
    })
}

describe.each(FAMILIES)('%s', (family) => {
  const model = modelOf(family)
  const all = parameters(model)
  const base = byName(all)

  it('has the gradient of central differences in every trained tensor', () => {
    const step = stepOf(model)
    const run = (values: typeof base) => step(values, RECORDS.slice(1, 3), LABELS.slice(1, 3))
    const results = run(base)
    const h = 1e-5
    for (const { name } of all) {
      const { shape, data } = base[name]!
      // a few elements of each tensor keep the test quick
      const places = [...data.keys()].filter((index) => index % Math.ceil(data.length / 4) === 0)
      const lossAt = (index: number, by: number) =>
        run({ ...base, [name]: { shape, data: data.with(index, data[index]! + by) } }).losses!.data.reduce(
          (a, b) => a + b,
        )
      const differences = places.map((index) => (lossAt(index, h) - lossAt(index, -h)) / (2 * h))
      const largest = Math.max(...differences.map(Math.abs))
      expect(largest, name).toBeGreaterThan(name.includes('key.lora') || name.includes('k_lin') ? 1e-9 : 1e-6)
      const gradient = summedGradient(results, name)
      for (const [at, index] of places.entries()) {
        expect(Math.abs(gradient[index]! - differences[at]!), `${name}[${index}]`).toBeLessThan(2e-6 * largest + 1e-9)
      }
    }
  }, 120_000)

  it('does not see padding, nor who else is in the batch, nor the order', () => {
    const run = stepOf(model)
    const short = [RECORDS.slice(0, 3), LABELS.slice(0, 3)] as const
    const [narrow, wide] = [run(base, ...short), run(base, ...short, 6)]
    expect(wide.losses!.data).toEqual(narrow.losses!.data)
    const together = run(base)
    const backwards = run(base, [...RECORDS].reverse(), [...LABELS].reverse())
    const apart = RECORDS.map((record, index) => run(base, [record], [LABELS[index]!]))
    for (const { name } of all) {
      expect(gradientsOf(wide, name)).toEqual(gradientsOf(narrow, name))
      expect(gradientsOf(backwards, name).toReversed()).toEqual(gradientsOf(together, name))
      expect(apart.flatMap((one) => gradientsOf(one, name))).toEqual(gradientsOf(together, name))
    }
  })

  it('with B = 0 is the base model, bit for bit', () => {
    const features = (adapted: ClassifierModel, values: readonly NamedTensor[]) =>
      interpret(inferenceGraph(adapted), { ...byName(values), ...batch(RECORDS) }).features!.data
    const zeroed = all.map((t) => (t.name.includes('lora_B') ? { ...t, data: t.data.map(() => 0) } : t))
    const bare: ClassifierModel = { ...model, layers: [] }
    expect(features(model, zeroed)).toEqual(features(bare, parameters(bare)))
    expect(features(model, all)).not.toEqual(features(bare, parameters(bare)))
  })

  it('folds featureScale into the last weight of the head, and into nothing else', () => {
    const logits = (scaled: ClassifierModel, values: readonly NamedTensor[]) =>
      interpret(inferenceGraph(scaled), { ...byName(values), ...batch(RECORDS) }).logits!.data
    const last = model.head!.specs.findLast(({ name }) => name.endsWith('.weight'))!.name
    const folded = all.map((t) => (t.name === last ? { ...t, data: t.data.map((value) => 1.5 * value) } : t))
    const expected = logits(model, all)
    logits({ ...model, featureScale: 1 }, folded).forEach((value, at) => {
      expect(value).toBeCloseTo(expected[at]!, 6)
    })
  })
})

describe.each(FAMILIES)('the last layer of %s', (family) => {
  const { config, checkpoint } = tinyEncoder(family)
  const model = modelOf(family)
  const shapesOf = ({ operations }: Graph, op: string, side: 'inputs' | 'outputs') =>
    operations.filter((operation) => operation.op === op).map((operation) => operation[side][0]!.shape)

  it('gives the first token what it would have in company of all', () => {
    const g = new GraphBuilder()
    const [tokenIds, typeIds] = (['tokenIds', 'typeIds'] as const).map((name) =>
      g.input(name, 'int32', [BATCH, SEQUENCE]),
    ) as [Value, Value]
    const bare: LoraAdapters = { scale: 1, factors: new Map() }
    const states = encoderStates(g, { tokenIds, typeIds }, config, checkpoint, bare)
    const { data, shape } = interpret(g.build({ states }), batch(RECORDS)).states!
    const first = RECORDS.map((_, n) => data.slice(n * shape[1]! * config.width).slice(0, config.width))
    const pooled = (row: Float64Array) => (family === 'bert' ? pooler(row) : row)
    const { features } = interpret(inferenceGraph({ ...model, layers: [] }), { ...byName(all()), ...batch(RECORDS) })
    first.map(pooled).forEach((row, n) => {
      row.forEach((value, at) => {
        expect(features!.data[n * config.width + at]).toBeCloseTo(value, 12)
      })
    })
  })

  it('is computed for the first token alone, and no sum in its reverse pass runs over the weights of attention', () => {
    const graph = trainingGraph(
      model,
      all().map(({ name }) => name),
    )
    const wide = shapesOf(graph, 'MatMul', 'outputs').filter((shape) => shape.at(-1) === config.ffnWidth)
    const forwards = wide.filter((shape) => shape.length === 3).slice(0, config.layers)
    expect(forwards).toEqual(
      [...Array.from({ length: config.layers - 1 }, () => SEQUENCE), 1].map((rows) => [BATCH, rows, config.ffnWidth]),
    )
    for (const shape of shapesOf(graph, 'ReduceSum', 'inputs')) {
      expect([shape.length, shape.at(-1)]).not.toEqual([4, SEQUENCE])
    }
  })

  const all = () => parameters(model)
  const pooler = (row: Float64Array) => {
    const [weight, bias] = ['weight', 'bias'].map((part) => checkpoint.get(`bert.pooler.dense.${part}`)!.data) as [
      Float32Array,
      Float32Array,
    ]
    return Float64Array.from(bias, (shift, out) =>
      Math.tanh(row.reduce((sum, value, at) => sum + value * weight[out * row.length + at]!, shift)),
    )
  }
})

describe('pairs of texts', () => {
  const logits = (family: Family, typeOfLast: number) => {
    const model = modelOf(family)
    const inputs = batch(RECORDS)
    const typeIds = { ...inputs.typeIds, data: inputs.typeIds.data.map((type) => type * typeOfLast) }
    return interpret(inferenceGraph(model), { ...byName(parameters(model)), ...inputs, typeIds }).logits!.data
  }

  it('are told apart by BERT, and not by the others', () => {
    expect(logits('bert', 1)).not.toEqual(logits('bert', 0))
    expect(logits('roberta', 1)).toEqual(logits('roberta', 0))
    expect(logits('distilbert', 1)).toEqual(logits('distilbert', 0))
  })
})

describe('the config of an encoder', () => {
  it("is read with each family's names and defaults", () => {
    expect(encoderConfig(TINY_ENCODERS.bert)).toEqual({
      family: 'bert',
      vocabularySize: 11,
      width: 8,
      heads: 2,
      ffnWidth: 12,
      layers: 2,
      maxTokens: 6,
      firstPosition: 0,
      tokenTypes: 2,
      layerNormEpsilon: 1e-12,
      activation: 'gelu',
    })
    expect(encoderConfig(TINY_ENCODERS.roberta)).toMatchObject({ maxTokens: 6, firstPosition: 2, tokenTypes: 1 })
    expect(encoderConfig({ ...TINY_ENCODERS.roberta, model_type: 'xlm-roberta' }).family).toBe('roberta')
    expect(encoderConfig(TINY_ENCODERS.distilbert)).toMatchObject({
      width: 8,
      heads: 2,
      ffnWidth: 12,
      layers: 2,
      tokenTypes: 0,
    })
  })

  it.each([
    [
      { model_type: 'electra' },
      /a model_type among bert, roberta, xlm-roberta, distilbert in config.json, got "electra"/,
    ],
    [{ model_type: 'bert', vocab_size: '11' }, /a positive integer/],
    [{ ...TINY_ENCODERS.bert, vocab_size: 0 }, /a positive integer as vocab_size .*got 0/],
    [{ ...TINY_ENCODERS.bert, num_attention_heads: 3 }, /a width that 3 heads divide/],
    [{ ...TINY_ENCODERS.bert, hidden_act: 'mish' }, /an activation among .*got mish/],
    [{ ...TINY_ENCODERS.bert, position_embedding_type: 'relative_key' }, /"absolute" as position_embedding_type/],
    [{ ...TINY_ENCODERS.bert, is_decoder: true }, /an encoder/],
    [{ ...TINY_ENCODERS.bert, num_hidden_layers: 1e9 }, /at most 1024 as num_hidden_layers/],
    [{ ...TINY_ENCODERS.bert, layer_norm_eps: -1 }, /a number from 0 to 1 as layer_norm_eps/],
    [{ ...TINY_ENCODERS.bert, layer_norm_eps: null, hidden_act: 5 }, /a text as hidden_act/],
  ])('is refused where the graph has no such thing: %j', (config, message) => {
    expect(() => encoderConfig(config)).toThrow(message)
  })
})

describe('the names of an encoder', () => {
  it.each([
    ['bert', 'bert.embeddings.LayerNorm.gamma', 'bert.embeddings.LayerNorm.weight'],
    ['bert', 'encoder.layer.0.output.LayerNorm.beta', 'bert.encoder.layer.0.output.LayerNorm.bias'],
    ['bert', 'pooler.dense.weight', 'bert.pooler.dense.weight'],
    ['bert', 'cls.predictions.bias', 'cls.predictions.bias'],
    ['roberta', 'encoder.layer.1.attention.self.query.weight', 'roberta.encoder.layer.1.attention.self.query.weight'],
    ['distilbert', 'transformer.layer.0.ffn.lin1.bias', 'distilbert.transformer.layer.0.ffn.lin1.bias'],
  ] as const)('%s: %s is %s', (family, name, expected) => {
    expect(encoderTensorName({ family }, name)).toBe(expected)
  })

  it.each(FAMILIES)(
    '%s adapts queries and values unless told otherwise, as PEFT does; any linear layer may be',
    (family) => {
      const { config } = tinyEncoder(family)
      const chosen = targetedLayers(encoderLayers(config), ENCODER_DEFAULT_TARGETS[family])
      expect(chosen.map(({ name }) => name.replace(/^.*\./, ''))).toEqual(
        family === 'distilbert' ? ['q_lin', 'v_lin', 'q_lin', 'v_lin'] : ['query', 'value', 'query', 'value'],
      )
      expect(encoderLayers(config)).toHaveLength(family === 'bert' ? 13 : 12)
      expect(() => targetedLayers(encoderLayers(config), ['c_attn'])).toThrow(/ADAPTER_INVALID/)
    },
  )
})
