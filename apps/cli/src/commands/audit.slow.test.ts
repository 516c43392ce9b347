import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import {
  beginClippedSum,
  beginPrivateRound,
  type ClippedSum,
  GRID_BITS,
  type PrivateRoundOptions,
  reservationFrom,
} from '@fedsvd/core/privacy'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fail } from '../output.ts'
import { auditCommand } from './audit.ts'

let printed = ''
beforeEach(() => {
  printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

const audit = (args: readonly string[], begin?: typeof beginPrivateRound) =>
  auditCommand(begin)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parseAsync(['--canaries', '20000', '--steps', '10', ...args], { from: 'user' })

const clipOff: typeof beginPrivateRound = (options) => {
  const round = beginPrivateRound(options)
  return {
    ...round,
    step: async (sum) => {
      const louder = beginClippedSum(sum.terms)
      for (const [at, integer] of sum.gridSum[0]!.entries()) {
        for (let left = 10 * integer; left > 0; left -= 2 ** GRID_BITS) louder.addWindow(0, at, Float64Array.of(9))
      }
      await round.step(louder.finish())
    },
  }
}

const halfNoise = (options: PrivateRoundOptions) => {
  const { clipNorm, sampleRate, steps } = options
  const noiseMultiplier = options.noiseMultiplier / 2
  const reservation = reservationFrom({
    event: {
      mechanism: 'poisson-subsampled-gaussian',
      sampleRate,
      noiseMultiplier,
      steps,
      clipNorm,
      relation: 'add-or-remove-one',
      unit: 'record',
    },
    runId: 'forged',
    round: 0,
    attempt: 0,
    datasetFingerprint: 'forged',
    entryHash: 'forged',
    durable: true,
  })
  const quiet = beginPrivateRound({ ...options, noiseMultiplier, reservation })
  const honest = beginPrivateRound(options) // what the ledger sees
  return {
    ...honest,
    drawLot(records: number) {
      honest.drawLot(records)
      return quiet.drawLot(records)
    },
    async step(sum: ClippedSum) {
      await honest.step(sum)
      await quiet.step(sum)
    },
    current: () => quiet.current(),
  }
}

describe('fedsvd audit', () => {
  it('prints the claim next to what was measured, and passes', async () => {
    await audit([])
    expect(printed).toMatch(/claimed +<= (5\.99\d|6\.000) /)
    expect(printed).toMatch(/measured +>= [1-4]\.\d{3} +at 95 % confidence/)
    expect(printed).toMatch(/at delta 0\.00001, unit record, add-or-remove-one/)
    expect(printed).toContain('the claim stands')
    expect(printed).toContain('step 10 of 10')
  })

  it.each([
    ['a mechanism that does not clip', clipOff],
    ['a mechanism with half the noise', halfNoise],
  ])('fails on %s: an error of the catalogue, exit code 1, after the numbers', async (_, begin) => {
    const error = await audit(['--lot', '1500', '--canaries', '50000'], begin).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'AUDIT_EXCEEDED' })
    expect(printed).toContain('REFUTED')
    const exitCode = process.exitCode
    vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    fail(error, false)
    expect(process.exitCode).toBe(1)
    process.exitCode = exitCode
  })

  it('measures an epsilon above the claim where nothing is clipped', async () => {
    await audit(['--json', '--epsilon', '1'], clipOff).catch(() => {})
    const report = JSON.parse(printed)
    expect(report.epsilonLowerBound).toBeGreaterThan(report.epsilonUpperBound)
  })

  it('gives one JSON document with the event, the claim and the measurement', async () => {
    await audit(['--json', '--noise-multiplier', '1.5', '--clip-norm', '2', '--records', '512', '--lot', '256'])
    expect(JSON.parse(printed)).toMatchObject({
      event: { sampleRate: 0.5, noiseMultiplier: 1.5, steps: 10, clipNorm: 2, unit: 'record' },
      delta: 1e-5,
      confidence: 0.95,
      canaries: 20_000,
      exceeded: false,
      plans: 10,
    })
  })

  it('leaves nothing on disk', async () => {
    const leftovers = () => readdirSync(tmpdir()).filter((name) => name.startsWith('fedsvd-audit-'))
    const before = leftovers()
    await audit(['--json'])
    await audit(['--json'], clipOff).catch(() => {})
    expect(leftovers()).toEqual(before)
  })

  it.each([
    [['--delta', '0.01'], /DELTA_TOO_LARGE: expected delta of at most 1 \/ records/],
    [['--canaries', '5'], /CONFIG_INVALID: expected from 100 to 1000000 canaries/],
    [['--confidence', '95'], /Expected a number between 0 and 1/],
    [['--noise-multiplier', '0'], /Expected a number above 0/],
    [['--steps', '0'], /Expected a positive integer/],
  ])('refuses %o before anything runs', async (args, message) => {
    const begin = vi.fn<typeof beginPrivateRound>()
    await expect(audit(args, begin)).rejects.toThrow(message)
    expect(begin).not.toHaveBeenCalled()
    expect(printed).toBe('')
  })
})
