import { FedsvdError } from '../errors.ts'
import type { Randomness } from './private-update.ts'
import type { ReservedEntry } from './reservation.ts'
import { Pieces, type Turn } from './turns.ts'

/** What a saved step belongs to; it continues nothing else. All of it is public or known to the ledger. */
export interface SavedFor {
  readonly runId: string
  readonly round: number
  readonly datasetFingerprint: string
  /** Names the published values that the round started from, by their hash. */
  readonly startId: string
  /**
   * Everything that decides a step: noise, sampling, clipping, learning rate, and the trained tensors with their sizes.
   */
  readonly terms: string
}

/** Where a round stands after `step` steps: values that the noise of each of these steps is in. */
export interface RoundState {
  readonly step: number
  readonly randomness: Randomness
  /** Noised votes so far; 0 without adaptive clipping. */
  readonly noisedVotes: number
  /** One array per trained tensor, in double precision: what was computed, to the bit. */
  readonly theta: readonly Float64Array[]
  readonly velocity: readonly Float64Array[]
}

/**
 * A step of a private round, ready to be kept. Only the mechanism makes one, of values that it has noised; the ledger
 * takes nothing else, so a hash in a ledger vouches that the mechanism made the bytes behind it.
 */
class NoisedStep {
  // oxlint-disable-next-line no-unused-private-class-members -- isOne asks whether it is there
  readonly #made = true
  readonly reserved: ReservedEntry
  readonly step: number
  readonly bytes: Uint8Array

  constructor(reserved: ReservedEntry, step: number, bytes: Uint8Array) {
    this.reserved = reserved
    this.step = step
    this.bytes = bytes
    Object.freeze(this)
  }

  static isOne(candidate: unknown): candidate is NoisedStep {
    return candidate instanceof NoisedStep && #made in candidate
  }
}

export type { NoisedStep as SavedStep }

/** For the mechanism alone: this is not exported from the folder. */
export async function savedStep(
  reserved: ReservedEntry,
  savedFor: SavedFor,
  state: RoundState,
  turn: Turn,
): Promise<NoisedStep> {
  return new NoisedStep(reserved, state.step, await encode(savedFor, state, turn))
}

/** Throws RESERVATION_MISSING unless the mechanism made this. For the last line before the ledger. */
export function assertSavedStep(candidate: unknown): asserts candidate is NoisedStep {
  if (NoisedStep.isOne(candidate)) return
  throw new FedsvdError('RESERVATION_MISSING', {
    expected: 'a step that the private mechanism made',
    got: 'a value that it did not make',
    remedy: 'Keep only what PrivateRound.save returned; nothing was kept.',
  })
}

/*
 * Bytes of a saved step, little-endian: length of a JSON header (4 bytes), the header, zeros up to a multiple of 8,
 * then for each trained tensor its values and its velocity as float64.
 */

interface Header {
  readonly format: 1
  readonly savedFor: SavedFor
  readonly step: number
  readonly randomness: Randomness
  readonly noisedVotes: number
  readonly sizes: readonly number[]
}

async function encode(
  savedFor: SavedFor,
  { step, randomness, noisedVotes, theta, velocity }: RoundState,
  turn: Turn,
): Promise<Uint8Array> {
  const header: Header = {
    format: 1,
    savedFor,
    step,
    randomness,
    noisedVotes,
    sizes: theta.map(({ length }) => length),
  }
  const text = asciiOf(JSON.stringify(header))
  const start = aligned(4 + text.length)
  const values = 2 * header.sizes.reduce((sum, size) => sum + size, 0)
  const bytes = new Uint8Array(start + 8 * values)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, text.length, true)
  bytes.set(text, 4)
  const pieces = new Pieces(turn, 'arithmetic')
  let at = start
  for (const array of theta.flatMap((values, t) => [values, velocity[t]!])) {
    await pieces.each(array.length, (begin, end) => {
      for (let i = begin; i < end; i++, at += 8) view.setFloat64(at, array[i]!, true)
    })
  }
  return bytes
}

/** The state in saved bytes, whose hash the caller has checked; undefined when they are no saved step. */
export function decodeSavedStep(bytes: Uint8Array): { savedFor: SavedFor; state: RoundState } | undefined {
  const header = headerOf(bytes)
  if (header === undefined) return undefined
  const { savedFor, step, randomness, noisedVotes, sizes } = header
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = aligned(4 + view.getUint32(0, true))
  if (bytes.length !== at + 16 * sizes.reduce((sum, size) => sum + size, 0)) return undefined
  const read = (size: number): Float64Array =>
    Float64Array.from({ length: size }, () => {
      at += 8
      return view.getFloat64(at - 8, true)
    })
  const pairs = sizes.map((size) => ({ theta: read(size), velocity: read(size) }))
  const theta = pairs.map((pair) => pair.theta)
  const velocity = pairs.map((pair) => pair.velocity)
  return { savedFor, state: { step, randomness, noisedVotes, theta, velocity } }
}

function headerOf(bytes: Uint8Array): Header | undefined {
  if (bytes.length < 8) return undefined
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true)
  if (4 + length > bytes.length) return undefined
  try {
    const header = JSON.parse(
      Array.from(bytes.subarray(4, 4 + length), (code) => String.fromCharCode(code)).join(''),
    ) as Header
    return header.format === 1 ? header : undefined
  } catch {
    return undefined
  }
}

/** JSON in ASCII: whatever is beyond it is written as an escape. */
function asciiOf(json: string): Uint8Array {
  const escaped = json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return Uint8Array.from(escaped, (unit) => unit.charCodeAt(0))
}

function aligned(length: number): number {
  return Math.ceil(length / 8) * 8
}
