import { trainedSpecs } from '@fedsvd/core/lora'
import { beginClippedSum, beginPrivateRound, type PrivateUpdate } from '@fedsvd/core/privacy'
import { type RandomSource, seededSource } from '@fedsvd/core/random'
import { zerosLike } from '@fedsvd/core/tensor'
import { osRandomness } from '@fedsvd/engine/crypto'
import { BUDGET, FINGERPRINT, RUN_A, sampleBound, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'
import { openLedger } from '../ledger/index.ts'
import { encodeUpdate } from './encode-update.ts'
import { schemaHash } from './load-state.ts'
import { type SimulatedRandomness, simulatedRandomness } from './simulated-randomness.ts'

const manifest = sampleManifest({ localSteps: 1 })
const header = { basis: 0, clientId: RUN_A, schemaHash: schemaHash(manifest.adapter) }
const encode = (update: PrivateUpdate) => encodeUpdate(update, header, manifest)

/** The update of a round whose one lot is empty. */
async function updateFrom(source: RandomSource): Promise<PrivateUpdate> {
  using folder = temporaryFolder()
  using ledger = openLedger(folder.path, FINGERPRINT, BUDGET)
  const bound = sampleBound(manifest)
  ledger.bind(bound)
  const specs = trainedSpecs(manifest.adapter)
  const { clipNorm, noiseMultiplier, sampleRate, steps } = bound.event
  const round = beginPrivateRound({
    clipNorm,
    noiseMultiplier,
    sampleRate,
    steps,
    specs,
    source,
    start: specs.map(zerosLike),
    learningRate: 0.1,
    expectedLotSize: 10,
    reservation: ledger.reserve(RUN_A, 0),
  })
  round.drawLot(0)
  await round.step(beginClippedSum({ specs, clipNorm }).finish())
  return await round.finish()
}

describe('the frame of an update', () => {
  it('is made of what the mechanism made, and of nothing that only looks like it', async () => {
    const update = await updateFrom(osRandomness)
    expect(encode(update).length).toBeGreaterThan(0)
    const alike: unknown = Object.create(
      Object.getPrototypeOf(update) as object,
      Object.getOwnPropertyDescriptors(update),
    )
    const raw = { ...update, tensors: update.tensors.map(zerosLike) }
    for (const forged of [{ ...update }, alike, raw]) {
      expect(() => encode(forged as PrivateUpdate)).toThrow('RESERVATION_MISSING')
    }
  })

  it('is not made where the noise came from a seed', async () => {
    const update = await updateFrom(seededSource('the same on all clients'))
    expect(() => encode(update)).toThrow('NOISE_INVALID')
  })

  it('is made of noise from a seed for a simulated site alone, and not for what only looks like one', async () => {
    const simulated = simulatedRandomness('a simulation')
    const update = await updateFrom(simulated.ofRound(0).source)
    expect(encodeUpdate(update, header, manifest, simulated).length).toBeGreaterThan(0)
    expect(() => encodeUpdate(update, header, manifest, { ...simulated })).toThrow('NOISE_INVALID')
  })
})

describe('the random numbers of a simulated site', () => {
  const first = ({ source, lotSource }: ReturnType<SimulatedRandomness['ofRound']>) =>
    [source, lotSource].map((stream) => {
      const bytes = new Uint8Array(16)
      stream.fill(bytes)
      return Buffer.from(bytes).toString('hex')
    })

  it('are the same for the same seed and round, and others for another round, for lots and for noise', () => {
    const drawn = [0, 1].flatMap((round) => first(simulatedRandomness('a').ofRound(round)))
    expect(new Set([...drawn, ...first(simulatedRandomness('b').ofRound(0))]).size).toBe(6)
    expect(first(simulatedRandomness('a').ofRound(1))).toEqual(drawn.slice(2))
  })
})
