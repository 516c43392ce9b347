import { type CoordinatorState, closedRoster } from './coordinator-state.ts'
import { addOwnMask, addPairMask } from './masks.ts'
import type { Primitives } from './primitives.ts'
import { aborted, outOfOrder } from './refusals.ts'
import { addVector, integersOf, type RingVector, ringZeros } from './ring.ts'
import { seedDigestOf } from './roster.ts'
import { attemptIdOf } from './terms.ts'
import { bytesOf, textOf } from './transcript.ts'

/** Sharers of whom too few shares are there yet, ascending; empty when the sum can be opened. */
export function missingShares(state: CoordinatorState, primitives: Pick<Primitives, 'sha256'>): readonly number[] {
  const { shareThreshold } = closedRoster(state, primitives).thresholds
  const counts = new Map<number, number>()
  for (const { shares } of state.reveals) for (const { of } of shares) counts.set(of, (counts.get(of) ?? 0) + 1)
  return neededOf(state).filter((of) => (counts.get(of) ?? 0) < shareThreshold)
}

/** Whose secrets the sum takes: the survivors, and the lost that a survivor has a mask with. */
function neededOf(state: CoordinatorState): readonly number[] {
  const survivors = new Set(state.survivors)
  const isNeighbour = neighboursOf(state)
  return (state.sharers ?? []).filter(
    (of) => survivors.has(of) || (state.survivors ?? []).some((at) => isNeighbour(of, at)),
  )
}

/**
 * The sum of the survivors' updates: exact, unless it leaves the ring. What was lost of others is taken out.
 *
 * @param maskedOf the stored masked update of a survivor, by its place
 * @returns as many integers as the terms have dimensions
 * @throws FedsvdError SUM_ABORTED with too few shares, or with shares that do not make the secret of their owner, who
 *   is named: then it has shared out wrong ones
 */
export async function openSum(
  state: CoordinatorState,
  maskedOf: (place: number) => RingVector | Promise<RingVector>,
  primitives: Primitives,
): Promise<Float64Array> {
  const { terms, survivors, session } = state
  if (survivors === undefined || session === undefined)
    throw outOfOrder('uploads that are closed', 'uploads that go on')
  const missing = missingShares(state, primitives)
  if (missing.length > 0) {
    throw aborted(
      'enough shares of every site that took part',
      `too few of ${missing.length} sites`,
      'Ask the survivors again; where they are gone, begin another round. Nothing was opened.',
    )
  }
  const secrets = await recoveredSecrets(state, primitives)
  const sum = ringZeros(terms.dimension, terms.modulusBits)
  for (const site of survivors) {
    const masked = await maskedOf(site)
    if (masked.length !== sum.length) {
      throw aborted(
        `${sum.length} masked integers of site ${site}`,
        String(masked.length),
        'Restore the stored update.',
      )
    }
    addVector(sum, masked, 1)
    addOwnMask(sum, { seed: secrets.get(site)!, session, site, sign: -1 }, primitives)
  }
  const isNeighbour = neighboursOf(state)
  const survived = new Set(survivors)
  for (const [lost, privateKey] of secrets) {
    if (survived.has(lost)) continue
    for (const other of survivors) {
      if (!isNeighbour(lost, other)) continue
      const publicKey = state.advertisements[other]!.maskKey
      // What the survivor added for this pair is what the lost one would have taken away.
      addPairMask(sum, { privateKey, publicKey, session, site: lost, other, sign: 1 }, primitives)
    }
  }
  return integersOf(sum)
}

/** The seeds of survivors and the mask keys of the lost, each held against what its owner advertised. */
async function recoveredSecrets(state: CoordinatorState, primitives: Primitives): Promise<Map<number, Uint8Array>> {
  const { shareThreshold } = closedRoster(state, primitives).thresholds
  const attempt = attemptIdOf(state.terms, primitives)
  const survivors = new Set(state.survivors)
  const sharesOf = new Map<number, Uint8Array[]>()
  for (const { shares } of state.reveals) {
    for (const { of, share } of shares) {
      const known = sharesOf.get(of) ?? []
      if (known.length < shareThreshold) known.push(bytesOf(share))
      sharesOf.set(of, known)
    }
  }
  const secrets = new Map<number, Uint8Array>()
  for (const of of neededOf(state)) {
    const { site, maskKey, seedDigest } = state.advertisements[of]!
    const secret = await primitives.combine(sharesOf.get(of)!)
    const isRight =
      secret !== undefined &&
      (survivors.has(of)
        ? seedDigestOf(attempt, secret, primitives) === seedDigest
        : textOf(primitives.x25519PublicKey(secret)) === maskKey)
    if (!isRight) {
      throw aborted(
        'shares that make the secret that their owner advertised',
        `shares of site ${of} (${site}) that make another one`,
        'Begin another round without that site: it has given out wrong shares.',
      )
    }
    secrets.set(of, secret)
  }
  return secrets
}

function neighboursOf(state: CoordinatorState): (one: number, other: number) => boolean {
  const drawn = new Map(state.shares.map(({ by, boxes }) => [by, new Set(boxes.map(({ to }) => to))]))
  return (one, other) => drawn.get(one)?.has(other) === true || drawn.get(other)?.has(one) === true
}
