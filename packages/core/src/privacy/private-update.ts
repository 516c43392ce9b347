import { FedsvdError } from '../errors.ts'
import type { NamedTensor } from '../tensor/index.ts'
import type { ReservedEntry } from './reservation.ts'

/** 'secure': the noise came from the operating system's CSPRNG. Anything else protects nobody and says so. */
export type Randomness = 'secure' | 'NOT PRIVATE'

/**
 * What a client may send: the change of the trained tensors over one round, each step of it clipped, noised and paid
 * for.
 *
 * Only the mechanism makes one. The class has a private field, so neither a gradient nor an object of the same shape
 * has this type (`private-update.test-d.ts` holds the compiler to that), and {@link assertPrivateUpdate} finds out a
 * cast.
 */
class NoisedUpdate {
  // oxlint-disable-next-line no-unused-private-class-members -- isOne asks whether it is there
  readonly #made = true
  /** theta_end - theta_start of each trained tensor, in the order of the trained specs. */
  readonly tensors: readonly NamedTensor[]
  /** The ledger entry that paid for it: event, run, round, attempt. */
  readonly reserved: ReservedEntry
  readonly randomness: Randomness
  /** Noised share of the round's records at or below the clip norm; there with adaptive clipping only. */
  readonly shareUnderClip: number | undefined

  constructor(tensors: readonly NamedTensor[], reserved: ReservedEntry, randomness: Randomness, share?: number) {
    this.tensors = tensors
    this.reserved = reserved
    this.randomness = randomness
    this.shareUnderClip = share
    Object.freeze(this)
  }

  static isOne(candidate: unknown): candidate is NoisedUpdate {
    return candidate instanceof NoisedUpdate && #made in candidate
  }
}

export type { NoisedUpdate as PrivateUpdate }

/** For the mechanism alone: this is not exported from the folder. */
export function privateUpdate(
  tensors: readonly NamedTensor[],
  reserved: ReservedEntry,
  randomness: Randomness,
  share?: number,
): NoisedUpdate {
  return new NoisedUpdate(tensors, reserved, randomness, share)
}

/** Throws RESERVATION_MISSING unless the mechanism made this. For the last line before the network. */
export function assertPrivateUpdate(candidate: unknown): asserts candidate is NoisedUpdate {
  if (!NoisedUpdate.isOne(candidate)) throw notMade()
}

function notMade(): FedsvdError {
  return new FedsvdError('RESERVATION_MISSING', {
    expected: 'an update that the private mechanism made',
    got: 'a value that it did not make',
    remedy: 'Send only what PrivateRound.finish returned; nothing was sent.',
  })
}
