import { type DenseTensor, type Graph, interpret } from '@fedsvd/core/autodiff'
import {
  type ClassifierModel,
  gradientName,
  headSpecs,
  inferenceGraph,
  PADDING_ID,
  trainingGraph,
} from '@fedsvd/core/models'
import type { NamedTensor } from '@fedsvd/core/tensor'
import { gradientsOf, summedGradient, TINY_ENCODER, tinyCheckpoint, waveNamed } from '@fedsvd/testing/core/models'
import { describe, expect, it } from 'vitest'
import { type StarterTarget, starterEncoder, starterLayers } from './encoder.ts'

const TARGETS: readonly StarterTarget[] = ['attention.qkv', 'attention.out', 'ffn.conv1', 'ffn.conv2', 'pooler.dense']
const CLASSES = 3
const RANK = 2

const checkpoint = tinyCheckpoint()
const model = (targets = TARGETS): ClassifierModel => ({
  layers: starterLayers(TINY_ENCODER, targets),
  rank: RANK,
  scale: 2,
  featureWidth: TINY_ENCODER.width,
  featureScale: 3,
  classes: CLASSES,
  encode: (g, tokenIds, adapters) => starterEncoder(g, tokenIds, TINY_ENCODER, checkpoint, adapters),
})

/** Factors and head of the model, all different from zero. */
function parameters({ layers }: ClassifierModel, amplitudeOfB = 0.4): readonly NamedTensor[] {
  const factors = layers.flatMap(({ name, dIn, dOut }, index) => [
    waveNamed(100 + index, { name: `${name}.lora_A.weight`, shape: [RANK, dIn] }, 0.5),
    waveNamed(200 + index, { name: `${name}.lora_B.weight`, shape: [dOut, RANK] }, amplitudeOfB),
  ])
  const head = headSpecs(TINY_ENCODER.width, CLASSES).map((spec, index) => waveNamed(300 + index, spec, 0.7))
  return [...factors, ...head]
}

const dense = ({ shape, data }: NamedTensor): DenseTensor => ({ shape, data: Float64Array.from(data) })
const byName = (tensors: readonly NamedTensor[]) => Object.fromEntries(tensors.map((t) => [t.name, dense(t)]))

/** Token ids [N, T], padded to `length`. */
function tokens(records: readonly (readonly number[])[], length = Math.max(...records.map((ids) => ids.length))) {
  const padded = records.flatMap((ids) => [...ids, ...Array.from({ length: length - ids.length }, () => PADDING_ID)])
  return { tokenIds: { shape: [records.length, length], data: Float64Array.from(padded) } }
}

const RECORDS = [[3, 1, 4, 1], [5, 0, 2], [10], [6, 5, 3, 5, 8, 9]] as const
const LABELS = [0, 2, 1, 2]

function step(graph: Graph, records: readonly (readonly number[])[], labels: readonly number[]) {
  return (factors: Readonly<Record<string, DenseTensor>>, length?: number) =>
    interpret(graph, {
      ...factors,
      ...tokens(records, length),
      labels: { shape: [labels.length], data: Float64Array.from(labels) },
    })
}

describe('the gradient of every trained tensor, through the whole encoder', () => {
  const adapted = model()
  const all = parameters(adapted)
  const trained = all.map(({ name }) => name)
  const graph = trainingGraph(adapted, trained)
  const run = step(graph, RECORDS, LABELS)
  const base = byName(all)
  const results = run(base)

  it.each(trained)('%s agrees with central differences of the summed loss', (name) => {
    const { shape, data } = base[name]!
    const h = 1e-5
    const lossAt = (index: number, by: number) => {
      const moved = { shape, data: data.with(index, data[index]! + by) }
      return run({ ...base, [name]: moved }).losses!.data.reduce((sum, loss) => sum + loss, 0)
    }
    const differences = data.map((_, index) => (lossAt(index, h) - lossAt(index, -h)) / (2 * h))
    const gradient = summedGradient(results, name)
    const largest = Math.max(...differences.map(Math.abs))
    expect(largest).toBeGreaterThan(1e-6)
    // 1 / width and the like enter the graph as float32 constants, hence 1e-6 and not 1e-9
    for (const [index, difference] of differences.entries()) {
      expect(Math.abs(gradient[index]! - difference)).toBeLessThan(1e-6 * largest + 1e-9)
    }
  })

  it("is each record's own: alone it is the same", () => {
    const alone = step(graph, [RECORDS[1]], [LABELS[1]!])(base)
    for (const name of trained) expect(gradientsOf(alone, name)[0]).toEqual(gradientsOf(results, name)[1])
  })
})

describe('every trained tensor leaves the graph', () => {
  const adapted = model()
  const all = parameters(adapted)
  const names = all.map(({ name }) => name)

  it.each(names)('%s has a gradient, in its own layout, whatever else is trained', (name) => {
    const run = (trained: readonly string[]) =>
      step(trainingGraph(adapted, trained), [RECORDS[0]], [0])(byName(all))[gradientName(name)]!
    const [whole, own] = [run(names), run([name])]
    expect(whole.shape).toEqual([1, ...all.find((tensor) => tensor.name === name)!.shape])
    expect(Math.hypot(...whole.data)).toBeGreaterThan(1e-4)
    expect(own.data).toEqual(whole.data)
  })
})

describe('what must not matter', () => {
  const adapted = model()
  const factors = byName(parameters(adapted))
  const names = parameters(adapted).map(({ name }) => name)
  const graph = trainingGraph(adapted, names)

  it('how far records are padded', () => {
    const run = step(graph, RECORDS.slice(0, 3), LABELS.slice(0, 3))
    const [narrow, wide] = [run(factors), run(factors, 6)]
    expect(wide.losses!.data).toEqual(narrow.losses!.data)
    for (const name of names) expect(gradientsOf(wide, name)).toEqual(gradientsOf(narrow, name))
  })

  it('who else is in the batch, and in which order', () => {
    const together = step(graph, RECORDS, LABELS)(factors)
    const backwards = step(graph, [...RECORDS].reverse(), [...LABELS].reverse())(factors)
    const apart = RECORDS.map((record, index) => step(graph, [record], [LABELS[index]!])(factors))
    for (const name of names) {
      const all = gradientsOf(together, name)
      expect(gradientsOf(backwards, name).toReversed()).toEqual(all)
      expect(apart.flatMap((one) => gradientsOf(one, name))).toEqual(all)
    }
    expect(Float64Array.from(apart, (one) => one.losses!.data[0]!)).toEqual(together.losses!.data)
  })
})

describe('the adapted model', () => {
  const features = (targets: readonly StarterTarget[], amplitudeOfB: number) => {
    const adapted = model(targets)
    return interpret(inferenceGraph(adapted), { ...byName(parameters(adapted, amplitudeOfB)), ...tokens(RECORDS) })
  }

  it('with B = 0 is the base model, bit for bit, and with B it is not', () => {
    const base = features([], 0).features!.data
    expect(features(TARGETS, 0).features!.data).toEqual(base)
    expect(features(TARGETS, 0.4).features!.data).not.toEqual(base)
  })

  it('gives embeddings of unit length', () => {
    const { shape, data } = features([], 0).features!
    for (let row = 0; row < shape[0]!; row++) {
      expect(Math.hypot(...data.subarray(row * shape[1]!, (row + 1) * shape[1]!))).toBeCloseTo(1, 12)
    }
  })

  it('takes id 0, the unknown piece, as a token: it is not padding', () => {
    const run = (records: readonly (readonly number[])[]) =>
      interpret(inferenceGraph(model([])), { ...byName(parameters(model([]))), ...tokens(records, 4) }).features!.data
    expect(run([[5, 2, 0]])).not.toEqual(run([[5, 2]]))
  })

  it('names its layers in the order in which a token meets them', () => {
    expect(starterLayers(TINY_ENCODER, ['attention.qkv', 'ffn.conv2'])).toEqual([
      { name: 'encoder.layer.0.attention.qkv', dIn: 4, dOut: 12 },
      { name: 'encoder.layer.0.ffn.conv2', dIn: 12, dOut: 8 },
      { name: 'encoder.layer.1.attention.qkv', dIn: 8, dOut: 24 },
      { name: 'encoder.layer.1.ffn.conv2', dIn: 12, dOut: 8 },
    ])
  })

  it('refuses a checkpoint with a missing or misshapen tensor', () => {
    const broken = (change: (tensors: Map<string, NamedTensor>) => void) => () => {
      const tensors = new Map(checkpoint)
      change(tensors)
      inferenceGraph({
        ...model(),
        encode: (g, ids, adapters) => starterEncoder(g, ids, TINY_ENCODER, tensors, adapters),
      })
    }
    expect(broken((tensors) => tensors.delete('pooler.dense.bias'))).toThrow(/CHECKPOINT_INVALID.*no such tensor/)
    const narrow = { name: 'x', shape: [4], data: new Float32Array(4) }
    expect(broken((tensors) => tensors.set('pooler.dense.bias', narrow))).toThrow(/of shape \[8\], got shape \[4\]/)
  })
})

describe('what is trained decides what is computed', () => {
  it('a trained head alone needs no derivative of the encoder', () => {
    const count = (trained: readonly string[]) =>
      trainingGraph(model(), trained).operations.filter(({ op }) => op === 'MatMul').length
    const forward = inferenceGraph(model()).operations.filter(({ op }) => op === 'MatMul').length
    expect(count(['classifier.bias'])).toBe(forward)
    expect(count(['classifier.weight'])).toBe(forward + 1)
    expect(count(['encoder.layer.1.ffn.conv2.lora_B.weight'])).toBeLessThan(
      count(['encoder.layer.0.ffn.conv2.lora_B.weight']),
    )
  })
})
