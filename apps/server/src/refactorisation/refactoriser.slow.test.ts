import { readFileSync } from 'node:fs'
import { type AdapterState, DEVICE_TOLERANCES, initialState, trainedSpecs } from '@fedsvd/core/lora'
import { viewState } from '@fedsvd/core/protocol'
import { fillGaussian, seededSource } from '@fedsvd/core/random'
import { sizeOf } from '@fedsvd/core/tensor'
import { describe, expect, it } from 'vitest'
import { encodeState, schemaHashOf } from '../rounds/index.ts'
import { memoryBlobs, stage } from '../storage/objects/index.ts'
import { exactRefactoriser, openRefactoriser, type RoundStep } from './refactoriser.ts'
import type { StepResult } from './step.ts'

const RUN_ID = '6f1c2f38-51f5-4a51-9d2c-0a4b5f6f7a11'

/** A round of layers dOut x dIn: a state as it is published first, and a mean of random numbers. */
function roundOf(count: number, size: number, rank: number): RoundStep {
  const layers = Array.from({ length: count }, (_, index) => ({ name: `layer.${index}`, dIn: size, dOut: size }))
  const adapter: RoundStep['manifest']['adapter'] = { rank, alpha: rank, headMode: 'frozen', head: [], layers }
  const manifest = { runId: RUN_ID, method: 'fedsvd', adapter } as const
  const schemaHash = schemaHashOf(adapter)
  const mean = trainedSpecs(adapter).map((spec, index) => {
    const data = new Float32Array(sizeOf(spec.shape))
    if (index === 0) fillGaussian(seededSource('refactoriser', index), data)
    // One draw is enough for all layers; of each, other columns stand out.
    else for (let at = 0; at < data.length; at += 1) data[at] = ((at * (index + 7)) % 101) / 50 - 1
    return { ...spec, data }
  })
  const frame = encodeState(manifest, schemaHash, initialState(adapter, { seed: 'refactoriser' }))
  return { manifest, schemaHash, basis: 0, frame, mean }
}

const stateOf = ({ manifest, schemaHash }: RoundStep, { frame, basis }: StepResult): AdapterState =>
  viewState({ runId: manifest.runId, schemaHash, adapter: manifest.adapter, basis }, frame)

/** ||B'A' - BA|| beside ||B|| ||A||, of all layers together. */
function distance(left: AdapterState, right: AdapterState): number {
  let [difference, size] = [0, 0]
  for (const [index, a] of left.a.entries()) {
    const [rank, dIn] = a.shape as [number, number]
    const b = left.b[index]!
    for (let row = 0; row < b.shape[0]!; row += 1) {
      for (let at = 0; at < dIn; at += 1) {
        let [one, other] = [0, 0]
        for (let inner = 0; inner < rank; inner += 1) {
          one += b.data[row * rank + inner]! * a.data[inner * dIn + at]!
          other += right.b[index]!.data[row * rank + inner]! * right.a[index]!.data[inner * dIn + at]!
        }
        difference += (one - other) ** 2
        size += one ** 2
      }
    }
  }
  return Math.sqrt(difference / size)
}

describe('the next state of a run', () => {
  it('is made where it is asked for, by the exact route, while the run is small', async () => {
    const round = roundOf(2, 24, 4)
    await using refactoriser = await openRefactoriser({ svdDevice: 'auto', threads: 1 })
    await using exact = exactRefactoriser()
    const [one, other] = [await refactoriser.step(round), await exact.step(round)]
    expect(Buffer.compare(one.frame, other.frame)).toBe(0)
    expect(one).toMatchObject({ basis: 1, report: { device: 'javascript', fallbacks: [] } })
  })

  it.each([
    ['javascript', 0],
    ['cpu', DEVICE_TOLERANCES.float64.product],
    ['tfjs-wasm', DEVICE_TOLERANCES.float32.product],
  ] as const)(
    'is made in the thread on %s where that is named, as far off the exact one as it says',
    async (name, tolerance) => {
      const round = roundOf(1, 160, 64)
      await using refactoriser = await openRefactoriser({ svdDevice: name, threads: 1 })
      await using exact = exactRefactoriser()
      const made = await refactoriser.step(round)
      expect(made.report.device).toBe(
        { javascript: 'javascript', cpu: 'onnxruntime-cpu', 'tfjs-wasm': 'tfjs-wasm' }[name],
      )
      expect(made.report.fallbacks).toEqual([])
      expect(made.report.failure).toBeUndefined()
      // B and A of these layers have few times the norm of their product.
      expect(distance(stateOf(round, await exact.step(round)), stateOf(round, made))).toBeLessThanOrEqual(
        20 * tolerance,
      )
      expect(await refactoriser.step(round)).toMatchObject({ spectra: made.spectra, frame: made.frame })
    },
  )

  it('leaves A and the basis alone where the method does', async () => {
    const round = roundOf(1, 160, 64)
    await using refactoriser = await openRefactoriser({ svdDevice: 'cpu', threads: 1 })
    const made = await refactoriser.step({ ...round, manifest: { ...round.manifest, method: 'ffa-lora' } })
    expect(made.basis).toBe(0)
    expect(stateOf(round, made).a).toEqual(initialState(round.manifest.adapter, { seed: 'refactoriser' }).a)
    expect(made.spectra[0]![0]).toBeGreaterThan(0)
  })

  it('needs the device that is named: without it nothing starts', async () => {
    await expect(openRefactoriser({ svdDevice: 'tfjs-node-gpu', threads: 1 })).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
    })
  })

  it('is refused for factors that are no numbers, on every route', async () => {
    const round = roundOf(1, 160, 64)
    round.mean[0]!.data[7] = Number.NaN
    await using refactoriser = await openRefactoriser({ svdDevice: 'cpu', threads: 1 })
    await expect(refactoriser.step(round)).rejects.toThrow(/finite/)
  })
})

/** Nanoseconds that the main thread of this process has computed; other threads and other processes do not count. */
const computed = (): number => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0])

describe.skipIf(process.platform !== 'linux')('the event loop', () => {
  it('computes less than 50 ms at a time while 32 layers of 4096 x 4096 at rank 64 are re-factorised and stored', {
    timeout: 300_000,
  }, async () => {
    const round = roundOf(32, 4096, 64)
    await using refactoriser = await openRefactoriser({ svdDevice: 'auto', threads: 1 })
    let [longest, turns, isOver] = [0, 0, false]
    const turn = (before: number): void => {
      const now = computed()
      longest = Math.max(longest, now - before)
      turns += 1
      if (!isOver) setTimeout(turn, 1, now)
    }
    setTimeout(turn, 0, computed())
    const made = await refactoriser.step(round)
    await using blob = await stage(memoryBlobs(), made.frame)
    isOver = true
    expect(blob.bytes).toBe(round.frame.length)
    expect(made.report).toMatchObject({ device: 'onnxruntime-cpu', fallbacks: [] })
    expect(turns).toBeGreaterThan(50)
    expect(longest / 1e6).toBeLessThan(50)
  })
})
