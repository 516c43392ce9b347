import { readFile } from 'node:fs/promises'
import { type AdapterState, specOfA, specOfB, type Task } from '@fedsvd/core/lora'
import { type Checkpoint, type ConfigFields, decoderConfig } from '@fedsvd/core/models'
import { gridOf } from '@fedsvd/core/privacy'
import { TINY_LLAMA, TINY_QWEN2, tinyGpt2Checkpoint, tinyLlamaCheckpoint, waveNamed } from '@fedsvd/testing/core/models'
import { type LotResult, lotResult } from '@fedsvd/testing/engine/training'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDecoderEngine, decoderSchema } from './decoder.ts'
import type { EncodedRecord, TokenEngine, TrainingEngine } from './training-engine.ts'

interface Case {
  readonly model: 'gpt2' | 'llama' | 'qwen2'
  readonly task: Task
  readonly clipNorm: number
  readonly records: readonly { tokenIds: number[]; label?: number; targets?: number[] }[]
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  readonly outputs: readonly (readonly number[] | { readonly losses: number[]; readonly predicted: number[] })[]
}

/** Written by scripts/decoder_vectors.py: float64 autograd, one unpadded record at a time. */
const vectors = JSON.parse(await readFile(new URL('vectors/decoders.json', import.meta.url), 'utf8')) as {
  readonly rank: number
  readonly alpha: number
  readonly classes: number
  readonly cases: readonly Case[]
}
const bytes = await readFile(new URL('vectors/decoders.f32', import.meta.url))
const numbers = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))

/** Agreement asked for, relative to the size of what is compared. */
const TOLERANCE = 1e-4

const llamaFields = {
  vocab_size: 19,
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  head_dim: 4,
  max_position_embeddings: 48,
}
const CHECKPOINTS: Readonly<Record<Case['model'], { config: ConfigFields; tensors: Checkpoint }>> = {
  gpt2: {
    config: { model_type: 'gpt2', vocab_size: 19, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 48, n_inner: 16 },
    tensors: tinyGpt2Checkpoint(),
  },
  llama: {
    config: {
      ...llamaFields,
      model_type: 'llama',
      num_attention_heads: 4,
      num_key_value_heads: 2,
      rms_norm_eps: 1e-5,
      rope_scaling: {
        rope_type: 'llama3',
        factor: 8,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 32,
      },
    },
    tensors: tinyLlamaCheckpoint(TINY_LLAMA, false),
  },
  qwen2: {
    config: {
      ...llamaFields,
      model_type: 'qwen2',
      num_attention_heads: 2,
      num_key_value_heads: 1,
      rms_norm_eps: 1e-6,
      rope_theta: 1_000_000,
      tie_word_embeddings: true,
    },
    tensors: tinyLlamaCheckpoint(TINY_QWEN2, true),
  },
}

/** The gradient of each record, and then the clipped sum, of case `index`. */
function gradientsOf(index: number, size: (at: number) => number): readonly Float32Array[] {
  let start = 0
  for (let before = 0; before < index; before++) start += size(before) * (vectors.cases[before]!.records.length + 1)
  return Array.from({ length: vectors.cases[index]!.records.length + 1 }, (_, n) =>
    numbers.subarray(start + n * size(index), start + (n + 1) * size(index)),
  )
}

function engineTerms({ model, task }: Case) {
  const { rank, alpha, classes } = vectors
  const { config, tensors } = CHECKPOINTS[model]
  const terms = { task, rank, alpha, classes, headMode: 'trained', targets: ['all-linear'] } as const
  const schema = decoderSchema(decoderConfig(config), terms)
  const trained =
    schema.layers.reduce((sum, { dOut }) => sum + dOut * rank, 0) +
    schema.head.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
  return { schema, trained, checkpoint: { config, tensors: async () => tensors } }
}

const relativeError = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  expect(actual.length).toBe(expected.length)
  const differences = Array.from(expected, (value, index) => actual[index]! - value)
  return Math.hypot(...differences) / Math.hypot(...Array.from(expected))
}

describe.each(vectors.cases.map((facts, index) => [`${facts.model}, ${facts.task}`, facts, index] as const))(
  '%s against PyTorch',
  (_, facts, index) => {
    const { schema, checkpoint } = engineTerms(facts)
    const [perRecord, sum] = [
      gradientsOf(index, (at) => engineTerms(vectors.cases[at]!).trained).slice(0, -1),
      gradientsOf(index, (at) => engineTerms(vectors.cases[at]!).trained).at(-1)!,
    ]
    const state: AdapterState = {
      basis: 0,
      a: schema.layers.map((layer, at) => waveNamed(100 + at, specOfA(schema, layer), 0.4)),
      b: schema.layers.map((layer, at) => waveNamed(200 + at, specOfB(schema, layer), 0.3)),
      head: schema.head.map((spec, at) => waveNamed(300 + at, spec, 0.7)),
    }
    const records = facts.records.map(({ tokenIds, label, targets }): EncodedRecord => {
      const ids = Int32Array.from(tokenIds)
      return targets ? { tokenIds: ids, targets: Int32Array.from(targets) } : { tokenIds: ids, label: label! }
    })
    let engine: TrainingEngine | TokenEngine
    let lot: LotResult
    beforeAll(async () => {
      engine = await createDecoderEngine(checkpoint, { task: facts.task, schema, classes: vectors.classes, threads: 1 })
      lot = await lotResult(engine, records, state, facts.clipNorm)
    })
    afterAll(async () => await engine[Symbol.asyncDispose]())
    const inNats = ({ gridSum }: LotResult, clipNorm: number) =>
      gridSum.flatMap((tensor) => Array.from(tensor, (integer) => integer * gridOf(clipNorm)))

    it('outputs', async () => {
      if ('logits' in engine) {
        const expected = facts.outputs.flat() as number[]
        expect(relativeError(await engine.logits(records, state), expected)).toBeLessThan(TOLERANCE)
        return
      }
      const scores = await engine.scores(records, state)
      for (const [n, output] of facts.outputs.entries()) {
        const { losses, predicted } = output as { losses: number[]; predicted: number[] }
        expect([...scores[n]!.predicted]).toEqual(predicted)
        expect(relativeError(scores[n]!.losses, losses)).toBeLessThan(TOLERANCE)
      }
    })

    it('losses and norms', () => {
      expect(relativeError(lot.losses, facts.losses)).toBeLessThan(TOLERANCE)
      expect(relativeError(lot.norms, facts.norms)).toBeLessThan(TOLERANCE)
    })

    it('the gradient of each record alone', async () => {
      for (const [n, record] of records.entries()) {
        const clipNorm = 1.001 * facts.norms[n]!
        const alone = await lotResult(engine, [record], state, clipNorm)
        expect(relativeError(inNats(alone, clipNorm), perRecord[n]!)).toBeLessThan(TOLERANCE)
      }
    })

    it('the clipped sum, with some records clipped and some not', () => {
      const clipped = facts.norms.filter((norm) => norm > facts.clipNorm).length
      expect(clipped).toBeGreaterThan(0)
      expect(clipped).toBeLessThan(records.length)
      expect(relativeError(inNats(lot, facts.clipNorm), sum)).toBeLessThan(TOLERANCE)
    })
  },
)
