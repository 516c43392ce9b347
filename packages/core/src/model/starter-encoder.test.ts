import { describe, expect, it } from 'vitest'
import { type DenseTensor, type Graph, interpret } from '../graph/index.ts'
import type { NamedTensor } from '../tensor/index.ts'
import {
  type ClassifierModel,
  gridSumName,
  headSpecs,
  inferenceGraph,
  PADDING_ID,
  type StarterTarget,
  starterEncoder,
  starterLayers,
  trainingGraph,
} from './index.ts'
import { TINY_ENCODER, tinyCheckpoint, waveNamed } from './testing/index.ts'

const TARGETS: readonly StarterTarget[] = ['attention.qkv', 'attention.out', 'ffn.conv1', 'ffn.conv2', 'pooler.dense']
const CLASSES = 3
const RANK = 2
/** In float64 a gradient can be read off the grid to 2^-40 of clipNorm. */
const FINE_GRID_BITS = 40
/** Above every norm below, so that nothing is clipped; a test says so. */
const LARGE_CLIP_NORM = 1024

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

function step(graph: Graph, records: readonly (readonly number[])[], labels: readonly number[], clipNorm: number) {
  return (factors: Readonly<Record<string, DenseTensor>>, length?: number) =>
    interpret(graph, {
      ...factors,
      ...tokens(records, length),
      labels: { shape: [labels.length], data: Float64Array.from(labels) },
      clipNorm: { shape: [], data: Float64Array.of(clipNorm) },
    })
}

describe('the gradient of every trained tensor, through the whole encoder', () => {
  const adapted = model()
  const all = parameters(adapted)
  const trained = all.map(({ name }) => name)
  const graph = trainingGraph(adapted, trained, FINE_GRID_BITS)
  const run = step(graph, RECORDS, LABELS, LARGE_CLIP_NORM)
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
    const gradient = results[gridSumName(name)]!.data.map((units) => (units * LARGE_CLIP_NORM) / 2 ** FINE_GRID_BITS)
    const largest = Math.max(...differences.map(Math.abs))
    expect(largest).toBeGreaterThan(1e-6)
    // 1 / width and the like enter the graph as float32 constants, hence 1e-6 and not 1e-9
    for (const [index, difference] of differences.entries()) {
      expect(Math.abs(gradient[index]! - difference)).toBeLessThan(1e-6 * largest + 1e-9)
    }
  })

  it('nothing was clipped above, and the norms are those of the gradients', () => {
    expect(Math.max(...results.norms!.data)).toBeLessThan(LARGE_CLIP_NORM)
    const alone = step(graph, [RECORDS[1]], [LABELS[1]!], LARGE_CLIP_NORM)(base)
    const units = trained.flatMap((name) => [...alone[gridSumName(name)]!.data])
    expect(Math.hypot(...units) * (LARGE_CLIP_NORM / 2 ** FINE_GRID_BITS)).toBeCloseTo(alone.norms!.data[0]!, 8)
    expect(alone.norms!.data[0]).toBeCloseTo(results.norms!.data[1]!, 10)
  })
})

describe('every trained tensor is inside the flat norm', () => {
  const adapted = model()
  const all = parameters(adapted)

  it.each(all.map(({ name }) => name))('leaving %s out makes the norm smaller by its share', (name) => {
    const names = all.map((tensor) => tensor.name)
    const norm = (trained: readonly string[]) =>
      step(trainingGraph(adapted, trained, FINE_GRID_BITS), [RECORDS[0]], [0], LARGE_CLIP_NORM)(byName(all))
    const whole = norm(names)
    const without = norm(names.filter((other) => other !== name))
    const own = Math.hypot(...whole[gridSumName(name)]!.data) * (LARGE_CLIP_NORM / 2 ** FINE_GRID_BITS)
    expect(own).toBeGreaterThan(1e-4)
    expect(Math.hypot(without.norms!.data[0]!, own)).toBeCloseTo(whole.norms!.data[0]!, 8)
  })
})

describe('what must not matter', () => {
  const adapted = model()
  const factors = byName(parameters(adapted))
  const names = parameters(adapted).map(({ name }) => name)
  const graph = trainingGraph(adapted, names, 18)

  it('how far records are padded', () => {
    const run = step(graph, RECORDS.slice(0, 3), LABELS.slice(0, 3), 0.1)
    const [narrow, wide] = [run(factors), run(factors, 6)]
    expect(wide.losses!.data).toEqual(narrow.losses!.data)
    for (const name of names) expect(wide[gridSumName(name)]!.data).toEqual(narrow[gridSumName(name)]!.data)
  })

  it('who else is in the batch, and in which order', () => {
    const together = step(graph, RECORDS, LABELS, 0.1)(factors)
    const backwards = step(graph, [...RECORDS].reverse(), [...LABELS].reverse(), 0.1)(factors)
    const apart = RECORDS.map((record, index) => step(graph, [record], [LABELS[index]!], 0.1)(factors))
    for (const name of names) {
      const sum = together[gridSumName(name)]!.data
      expect(backwards[gridSumName(name)]!.data).toEqual(sum)
      expect(sum.map((_, i) => apart.reduce((total, one) => total + one[gridSumName(name)]!.data[i]!, 0))).toEqual(sum)
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
      trainingGraph(model(), trained, 18).operations.filter(({ op }) => op === 'MatMul').length
    const forward = inferenceGraph(model()).operations.filter(({ op }) => op === 'MatMul').length
    expect(count(['classifier.bias'])).toBe(forward)
    expect(count(['classifier.weight'])).toBe(forward + 1)
    expect(count(['encoder.layer.1.ffn.conv2.lora_B.weight'])).toBeLessThan(
      count(['encoder.layer.0.ffn.conv2.lora_B.weight']),
    )
  })
})
