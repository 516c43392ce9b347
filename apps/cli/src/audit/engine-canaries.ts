import { type AdapterState, initialState } from '@fedsvd/core/lora'
import { fillGaussian, RandomBits, uniformBelow } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import type { LabelledRecord } from '@fedsvd/engine/datasets'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { dot } from './unit-gradients.ts'

/** Tokens of a made-up canary. */
const TOKENS = 6

/** Scale of the head's made-up weights: enough for the factors B to have gradients, little beside the head's own. */
const HEAD_SCALE = 0.02

/** Texts of random tokens: canaries need no meaning, only gradients of their own. */
export function madeUpTexts(count: number, vocabularySize: number): Int32Array[] {
  const bits = RandomBits.from(osRandomness)
  return Array.from({ length: count }, () =>
    Int32Array.from({ length: TOKENS }, () => uniformBelow(bits, vocabularySize)),
  )
}

/** A state in which every trained tensor has a gradient. */
export function auditState({ schema }: TrainingEngine): AdapterState {
  const initial = initialState(schema, { seed: 'audit' })
  const head = initial.head.map(({ name, shape, data }) => {
    const filled = new Float32Array(data.length)
    fillGaussian(osRandomness, filled)
    return { name, shape, data: filled.map((value) => HEAD_SCALE * value) }
  })
  return { ...initial, head }
}

/** Canaries by their labels: group l has the label l. */
export interface LabelledCanaries {
  readonly canaries: LabelledRecord[]
  /** Positions in `canaries`. */
  readonly groups: number[][]
}

/** Texts that are compared before one is taken; more find little better. */
const COMPARED = 400

/**
 * Chooses canaries among texts, `perLabel` for each of `labels` labels, so that their gradients overlap little: those
 * of different labels lie in different rows of the head, and texts of one label are chosen with unlike features. More
 * texts than canaries leave more to choose from.
 */
export async function labelledApart(
  engine: TrainingEngine,
  state: AdapterState,
  texts: readonly Int32Array[],
  { labels, perLabel }: { readonly labels: number; readonly perLabel: number },
): Promise<LabelledCanaries> {
  const records = texts.map((tokenIds) => ({ tokenIds, label: 0 }))
  const features = await engine.features(records, state)
  const width = features.length / texts.length
  const rows = texts.map((_, position) => unitVector(features.subarray(position * width, (position + 1) * width)))
  let free = [...texts.keys()]
  const canaries: LabelledRecord[] = []
  const groups = Array.from({ length: labels }, (_, label) => {
    const seen = free.slice(0, COMPARED)
    const likeness = new Float64Array(seen.length)
    const chosen: number[] = []
    for (let next = 0; chosen.length < Math.min(perLabel, seen.length); next = leastOf(likeness)) {
      const row = rows[seen[next]!]!
      chosen.push(seen[next]!)
      for (const [at, position] of seen.entries())
        likeness[at] = Math.max(likeness[at]!, Math.abs(dot(row, rows[position]!)))
      likeness[next] = Number.POSITIVE_INFINITY
    }
    const taken = new Set(chosen)
    free = free.filter((position) => !taken.has(position))
    return chosen.map((position) => canaries.push({ tokenIds: texts[position]!, label }) - 1)
  })
  return { canaries, groups }
}

function leastOf(values: Float64Array): number {
  return values.reduce((least, value, at) => (value < values[least]! ? at : least), 0)
}

function unitVector(values: Float32Array): Float32Array {
  const length = Math.sqrt(dot(values, values))
  return values.map((value) => value / length)
}
