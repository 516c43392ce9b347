import { calibrateNoiseMultiplier, eventOfRound, type PrivacyEvent, pld } from '@fedsvd/core/accounting'
import { isFedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, trainedSpecs, trainedTensors } from '@fedsvd/core/lora'
import { beginPrivateRound, GRID_BITS, gridOf, squaredBound } from '@fedsvd/core/privacy'
import {
  type AuditResult,
  claimedCurve,
  curveRejected,
  type GuessOutcome,
  independentPValue,
  judge,
  matchedFilterScores,
  mostNoiseFactor,
  type PrivacyCurve,
} from '@fedsvd/core/privacy-audit'
import { drawPoissonLot } from '@fedsvd/core/random'
import { sizeOf } from '@fedsvd/core/tensor'
import { osRandomness } from '@fedsvd/engine/crypto'
import type { LabelledRecord } from '@fedsvd/engine/datasets'
import { recordsInMemory } from '@fedsvd/engine/datasets'
import type { TrainingEngine } from '@fedsvd/engine/training'
import { lotOfAll } from '@fedsvd/engine/training/lots'
import { auditState, labelledApart } from './engine-canaries.ts'
import { guessCanaries } from './known-others.ts'
import { inner, type UnitGradient, unitGradients } from './unit-gradients.ts'
import { withReservation } from './with-reservation.ts'

/** What a person asks of an audit through the engine. */
export interface EngineAuditSettings {
  /** The budget that the noise of the one audited step is calibrated to. */
  readonly epsilon: number
  readonly delta: number
  readonly clipNorm: number
  readonly confidence: number
  /** Labels of the engine's head, and canaries that share one; see {@link labelledApart}. */
  readonly labels: number
  readonly perLabel: number
}

/** What single records did to the engine, exactly: no statistics. */
export interface EngineProbes {
  /** Records whose integers were held against the bound. */
  readonly records: number
  /** The largest squared length of a record's integers over the bound that the noise is scaled to: at most 1. */
  readonly largestShare: number
  /** Whether a lot is summed although one record has no finite gradient, and that record adds nothing. */
  readonly answersWhateverTheRecord: boolean
}

export interface EngineAuditReport extends AuditResult {
  readonly event: PrivacyEvent
  readonly canaries: number
  /** Trained numbers of the engine's adapter and head. */
  readonly dimension: number
  /**
   * At least this epsilon at `delta`, if the mechanism is the claimed one with another amount of noise: see
   * `mostNoiseFactor`. With the confidence that was asked for, all plans together.
   */
  readonly epsilonLowerBoundOfFamily: number
  /**
   * At least this epsilon at `delta`, if besides the noise of every number is independent: see `independentPValue`.
   * With the confidence that was asked for.
   */
  readonly epsilonLowerBoundIfIndependent: number
  /** Guesses of an auditor who knows all other coins. */
  readonly knowingOthers: GuessOutcome
  /** The chance of those guesses if the claim holds and the noise of every number is independent. */
  readonly pValueIfIndependent: number
  readonly probes: EngineProbes
}

/**
 * The part of the allowed error at which guesses with all others known refute the claim. Unlike the other test this one
 * comes close to its level: at one in twenty, every twentieth audit of a right engine would end in an alarm.
 */
const SHARE_OF_ALARMS = 1e-3

/** Canaries whose integers are looked at one by one. */
const PROBES = 8

/** Shares of the canaries on which guesses are made, each at both ends of the ranking: fixed before the run. */
const SHARES = [1 / 8, 1 / 16] as const

/**
 * Audits the whole private step of an engine: canary records through its gradients, clip, rounding, bound and sum, then
 * the noise of the mechanism, once, with every unit in the lot (sample rate 1), where one step shows most for its
 * epsilon. Each canary is in or out by a coin of the operating system; its score is a matched filter on its own clipped
 * gradient.
 *
 * @param texts token ids, at least labels * perLabel of them; see {@link labelledApart}
 * @throws FedsvdError CONFIG_INVALID, BUDGET_TOO_SMALL, and whatever the engine is refused with
 */
export async function auditEngine(
  engine: TrainingEngine,
  texts: readonly Int32Array[],
  settings: EngineAuditSettings,
  onStage: (stage: string) => void = () => {},
): Promise<EngineAuditReport> {
  const { epsilon, delta, clipNorm, confidence, labels, perLabel } = settings
  const specs = trainedSpecs(engine.schema)
  const dimension = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const state = auditState(engine)
  onStage(`choosing ${labels * perLabel} canaries among ${texts.length} texts`)
  const { canaries, groups } = await labelledApart(engine, state, texts, settings)
  const terms = { sampleRate: 1, steps: 1, clipNorm }
  const noiseMultiplier = calibrateNoiseMultiplier({ ...terms, epsilon, delta, accountant: pld })
  const event = eventOfRound({ localSteps: 1, clipNorm }, { sampleRate: 1, noiseMultiplier })
  const curveAt = (factor: number) =>
    claimedCurve(pld, [{ ...event, noiseMultiplier: factor * noiseMultiplier }], delta)

  onStage('one private step')
  const included = new Uint8Array(canaries.length)
  for (const canary of drawPoissonLot(osRandomness, canaries.length, 0.5)) included[canary] = 1
  const dataSet = recordsInMemory(canaries.filter((_, canary) => included[canary] === 1))
  const start = trainedTensors(engine.schema, state)
  const [claim] = curveAt(1)
  const released = await withReservation(event, claim!, async (reservation) => {
    // The step then moves the parameters by the noised sum itself.
    const expectedLotSize = canaries.length / 2
    const own = { ...terms, noiseMultiplier, expectedLotSize, learningRate: expectedLotSize }
    const round = beginPrivateRound({ ...own, specs, start, reservation, source: osRandomness })
    const members = round.drawLot(dataSet.size)
    await round.step(await engine.clippedLotSum({ records: dataSet, members }, state, clipNorm))
    return round
      .current()
      .map(({ data }, t) => Float32Array.from(data, (value, i) => (start[t]!.data[i]! - value) / clipNorm))
  })

  onStage('guessing each canary with all others known')
  const knowingOthers = await guessCanaries(engine, state, { canaries, groups }, { released, included, clipNorm })
  onStage('scoring')
  const all = await engine.clippedLotSum(lotOfAll(recordsInMemory(canaries)), state, clipNorm)
  const gridWidth = gridOf(clipNorm) / clipNorm
  for (const [t, tensor] of all.gridSum.entries()) {
    for (let i = 0; i < tensor.length; i++) released[t]![i]! -= 0.5 * gridWidth * tensor[i]!
  }
  const scores = new Float64Array(canaries.length)
  for (const chunk of chunksOf(groups, Math.max(1, Math.min(64, 2 ** 24 / dimension) / perLabel))) {
    const members = chunk.flat().map((canary) => canaries[canary]!)
    const gradients = await unitGradients(engine, members, state, clipNorm)
    let next = 0
    for (const group of chunk) {
      const found = scoresOf(gradients.slice(next, next + group.length), released, noiseMultiplier)
      next += group.length
      group.forEach((canary, n) => {
        scores[canary] = found[n]!
      })
    }
  }
  const plans = SHARES.map((share) => {
    const half = Math.floor((canaries.length * share) / 2)
    return { included: half, excluded: half }
  })
  const level = 1 - confidence
  const verdict = judge(scores, included, curveAt(1), confidence, plans)
  const epsilonAt = (rejects: (curve: PrivacyCurve) => boolean) => {
    const factor = mostNoiseFactor(rejects, curveAt)
    return Number.isFinite(factor) ? curveAt(factor)[0]!.epsilon : 0
  }
  const pValueIfIndependent = independentPValue(knowingOthers, curveAt(1))
  onStage('single records')
  const probes = await probe(engine, state, canaries.slice(0, PROBES), clipNorm)
  const exceeded =
    verdict.exceeded ||
    pValueIfIndependent <= level * SHARE_OF_ALARMS ||
    probes.largestShare > 1 ||
    !probes.answersWhateverTheRecord
  return {
    ...verdict,
    exceeded,
    event,
    canaries: canaries.length,
    dimension,
    epsilonLowerBoundOfFamily: epsilonAt((curve) =>
      verdict.outcomes.some((outcome) => curveRejected(outcome, curve, level / verdict.plans)),
    ),
    epsilonLowerBoundIfIndependent: epsilonAt((curve) => independentPValue(knowingOthers, curve) <= level),
    knowingOthers,
    pValueIfIndependent,
    probes,
  }
}

function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  const whole = Math.max(1, Math.floor(size))
  for (let start = 0; start < items.length; start += whole) yield items.slice(start, start + whole)
}

/** Scores of one group. */
function scoresOf(
  gradients: readonly UnitGradient[],
  released: readonly Float32Array[],
  noiseMultiplier: number,
): Float64Array {
  const n = gradients.length
  const gram = new Float64Array(n * n)
  const filtered = new Float64Array(n)
  for (const [i, a] of gradients.entries()) {
    filtered[i] = a.scale * inner(a.gradient, released)
    for (const [j, b] of gradients.entries()) {
      if (j <= i) gram[i * n + j] = a.scale * b.scale * inner(a.gradient, b.gradient)
      gram[j * n + i] = gram[i * n + j]!
    }
  }
  return matchedFilterScores(gram, filtered, noiseMultiplier)
}

/** Looks at single records: the integers of each against the bound, and a state under which no gradient is finite. */
async function probe(
  engine: TrainingEngine,
  state: AdapterState,
  records: readonly LabelledRecord[],
  clipNorm: number,
): Promise<EngineProbes> {
  const sumOf = async (lot: readonly LabelledRecord[], at: AdapterState, norm: number) =>
    (await engine.clippedLotSum(lotOfAll(recordsInMemory(lot)), at, norm)).gridSum
  const squares = (gridSum: readonly Float64Array[]) =>
    gridSum.reduce((sum, tensor) => sum + tensor.reduce((all, value) => all + value * value, 0), 0)
  const dimension = trainedSpecs(engine.schema).reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const bound = squaredBound({ dimension, gridBits: GRID_BITS })
  let largestShare = 0
  // As it is, and with gradients whose squares no float32 can hold.
  for (const [at, norm] of [
    [state, clipNorm],
    [scaledHead(state, 1e-23), 1e-30],
  ] as const) {
    for (const record of records)
      largestShare = Math.max(largestShare, squares(await sumOf([record], at, norm)) / bound)
  }
  return {
    records: records.length,
    largestShare,
    answersWhateverTheRecord: await answers(sumOf, squares, state, records),
  }
}

async function answers(
  sumOf: (lot: readonly LabelledRecord[], at: AdapterState, norm: number) => Promise<readonly Float64Array[]>,
  squares: (gridSum: readonly Float64Array[]) => number,
  state: AdapterState,
  records: readonly LabelledRecord[],
): Promise<boolean> {
  try {
    return squares(await sumOf(records, scaledHead(state, 1e39), 1)) === 0
  } catch (error) {
    if (isFedsvdError(error)) return false
    throw error
  }
}

/** The head scaled up or down; what float32 cannot hold becomes the largest number that it can. */
function scaledHead(state: AdapterState, factor: number): AdapterState {
  const largest = 3.4e38
  const head = state.head.map((tensor) => ({
    ...tensor,
    data: tensor.data.map((value) => Math.max(-largest, Math.min(largest, factor * value))),
  }))
  return { ...state, head }
}
