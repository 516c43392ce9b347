import { FedsvdError } from '@fedsvd/core/errors'
import { zeros } from '@fedsvd/core/linalg'
import type { AdapterState } from '@fedsvd/core/lora'
import { gridOf } from '@fedsvd/core/privacy'
import { type GuessOutcome, guessKnowingOthers } from '@fedsvd/core/privacy-audit'
import { recordsInMemory } from '@fedsvd/engine/datasets'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { lotOfAll } from '@fedsvd/engine/training/lots'
import type { LabelledCanaries } from './engine-canaries.ts'
import { inner, type UnitGradient, unitGradients } from './unit-gradients.ts'

/** Canaries that are guessed; more sharpen the bound slowly and cost time with their square. */
const MOST = 1024

/** Numbers of all their gradients together: 512 MiB. */
const MOST_NUMBERS = 2 ** 27

const CHUNK = 64

export interface ReleasedSum {
  /** The noised sum in units of the clip norm, tensor by tensor. */
  readonly released: readonly Float32Array[]
  /** Which canaries were in the data set. */
  readonly included: Uint8Array
  readonly clipNorm: number
}

/**
 * Guesses canaries as an auditor who knows every other coin: see `guessKnowingOthers`. Those of different labels come
 * first, since their gradients hardly overlap; the sum of the canaries that are not guessed is taken off by the engine
 * itself.
 *
 * @throws FedsvdError CONFIG_INVALID where the gradients are linearly dependent
 */
export async function guessCanaries(
  engine: TrainingEngine,
  state: AdapterState,
  { canaries, groups }: LabelledCanaries,
  { released, included, clipNorm }: ReleasedSum,
): Promise<GuessOutcome> {
  const dimension = released.reduce((sum, { length }) => sum + length, 0)
  const guessed = firstOfEach(groups).slice(0, Math.min(MOST, Math.floor(MOST_NUMBERS / dimension)))
  const isGuessed = new Set(guessed)
  const others = canaries.filter((_, canary) => included[canary] === 1 && !isGuessed.has(canary))
  const rest = released.map((tensor) => tensor.slice())
  if (others.length > 0) {
    const known = await engine.clippedLotSum(lotOfAll(recordsInMemory(others)), state, clipNorm)
    const gridWidth = gridOf(clipNorm) / clipNorm
    for (const [t, tensor] of known.gridSum.entries()) {
      for (let i = 0; i < tensor.length; i++) rest[t]![i]! -= gridWidth * tensor[i]!
    }
  }
  const gradients: UnitGradient[] = []
  for (let start = 0; start < guessed.length; start += CHUNK) {
    const records = guessed.slice(start, start + CHUNK).map((canary) => canaries[canary]!)
    gradients.push(...(await unitGradients(engine, records, state, clipNorm)))
  }
  const gram = zeros(guessed.length, guessed.length)
  const filtered = new Float64Array(guessed.length)
  for (const [i, a] of gradients.entries()) {
    filtered[i] = a.scale * inner(a.gradient, rest)
    for (let j = 0; j <= i; j++) {
      const b = gradients[j]!
      gram.data[j * guessed.length + i] = a.scale * b.scale * inner(a.gradient, b.gradient)
    }
  }
  const coins = Uint8Array.from(guessed, (canary) => included[canary]!)
  const outcome = guessKnowingOthers(gram, filtered, coins)
  if (outcome !== undefined) return outcome
  throw new FedsvdError('CONFIG_INVALID', {
    expected: 'canaries with gradients of their own',
    got: 'gradients that are linearly dependent',
    remedy: 'Audit with --data of more varied texts, or leave --data out for made-up ones',
  })
}

/** The first canary of each group, then the second of each, and so on. */
function firstOfEach(groups: readonly (readonly number[])[]): number[] {
  const longest = Math.max(...groups.map(({ length }) => length))
  return Array.from({ length: longest }, (_, place) =>
    groups.flatMap((group) => (place < group.length ? [group[place]!] : [])),
  ).flat()
}
