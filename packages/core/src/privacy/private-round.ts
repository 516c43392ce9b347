import { FedsvdError } from '../errors.ts'
import { discreteGaussian, drawPoissonLot, RandomBits, type RandomSource } from '../random/index.ts'
import { type NamedTensor, sizeOf, type TensorSpec } from '../tensor/index.ts'
import { type AdaptiveClipping, shareUnder, splitNoise, VOTE_UNIT, voteSigma } from './adaptive-clipping.ts'
import { isPositive, requireFinite, requireSpecs } from './checks.ts'
import { requireClipNorm } from './clip.ts'
import { type ClippedSum, gridSumOf } from './clipped-sum.ts'
import { type PrivateUpdate, privateUpdate, type Randomness } from './private-update.ts'
import {
  type DurableStep,
  type Reservation,
  type ReservedEntry,
  requireKept,
  stepsOf,
  useReservation,
} from './reservation.ts'
import { decodeSavedStep, type RoundState, type SavedFor, type SavedStep, savedStep } from './saved-step.ts'
import { gridOf, gridSigma } from './sensitivity.ts'
import { NO_TURN, Pieces, type Turn } from './turns.ts'

/** What a round waits for, or is at; `closed` is the end, whether it was reached or a step failed. */
type Stage = 'draw' | 'step' | 'stepping' | 'keep' | 'saving' | 'closed'

/** The agreed terms of one client's round: public constants, all of them. */
export interface PrivateRoundTerms {
  /** The clip norm in force: that of the reserved event, or with adaptive clipping any. */
  readonly clipNorm: number
  /** With adaptive clipping each step releases the votes on the clip norm, too, out of the same noise multiplier. */
  readonly adaptiveClipping?: AdaptiveClipping
  /** Noise standard deviation over sensitivity, of all that a step releases together. */
  readonly noiseMultiplier: number
  /** Probability with which each record enters a lot. */
  readonly sampleRate: number
  /** Number of local steps (tau). */
  readonly steps: number
  /** Steps of a round as the run has them, where this one has fewer: a step that was kept is of either. */
  readonly agreedSteps?: number
  readonly learningRate: number
  /** The divisor of every step: the declared number of records times sampleRate, and never the size that was drawn. */
  readonly expectedLotSize: number
  /** Heavy-ball momentum on the noised gradients, 0 (plain SGD) unless given. Post-processing: it costs no privacy. */
  readonly momentum?: number
}

export interface PrivateRoundOptions extends PrivateRoundTerms {
  /** The trained tensors of the run, in their order; `start` must match them. */
  readonly specs: readonly TensorSpec[]
  /** Their published values at the start of the round. */
  readonly start: readonly NamedTensor[]
  /** The ledger's promise that these steps are paid for. It is used up, even when the round fails. */
  readonly reservation: Reservation
  readonly source: RandomSource
  /** Of the lots alone, where they are drawn apart from the noise; `source` where it is absent. */
  readonly lotSource?: RandomSource | undefined
  /**
   * Taken between two pieces of a step, and of what is saved of it. Whoever answers others from the thread that trains
   * hands one in: a step over ten million entries takes a second. Absent: each of them is done in one go.
   */
  readonly turn?: Turn | undefined
  /** Names the published state that `start` is taken from, by its hash; a saved step goes with it. */
  readonly startId?: string
  /** The saved step that the reservation says to go on behind, and how its bytes are hashed; not for a new round. */
  readonly resume?: SavedBytes
}

/** Bytes that {@link PrivateRound.save} made in another process, as they were found again. */
export interface SavedBytes {
  readonly bytes: Uint8Array
  readonly sha256: (bytes: Uint8Array) => Uint8Array
}

/**
 * One round of DP-SGD at one client: `steps` times draw a lot, then step with its clipped grid sum, then finish.
 *
 * It is an object with a state, and not a pair of pure functions, on purpose: a pure `step` could be applied twice to
 * one state and so draw new noise on the same data without paying for it. Here every call moves on and nothing goes
 * back. A step that is refused ends the round. What takes long (`step`, `save`, `finish`) is done in pieces, and calls
 * that come meanwhile are refused by STEP_ORDER, which changes nothing of what is under way.
 */
export interface PrivateRound {
  readonly randomness: Randomness
  readonly stepsDone: number
  /**
   * Draws the next lot from `records` records: each enters with probability `sampleRate`, independently. The indices
   * stay in this process. An empty lot is a lot: call `step` with a sum of no records.
   */
  drawLot(records: number): Uint32Array
  /**
   * Adds discrete Gaussian noise to every coordinate of the lot's integer sum, then moves the parameters:
   * theta <- theta - learningRate * noisySum * grid / expectedLotSize. With adaptive clipping the lot's votes on the
   * clip norm are released, too.
   *
   * Rejects with NOISE_INVALID what is no clipped sum on the tensors and the clip norm of the round, with STEP_ORDER
   * when no lot was drawn for it, with RESERVATION_MISSING when the reserved steps are used up. Nothing about a record
   * makes it refuse.
   */
  step(sum: ClippedSum): Promise<void>
  /**
   * The round as it stands after a step, to go on from in another process; noised, every value of it. Rejects with
   * STEP_ORDER before the first step, with a lot drawn, and when the round is over.
   */
  save(): Promise<SavedStep>
  /**
   * Lets the next step begin, with the ledger's proof that this one was kept. A round whose reservation is stepwise
   * asks for it after each step but the last. RESERVATION_MISSING for another proof, STEP_ORDER out of turn.
   */
  kept(proof: DurableStep): void
  /**
   * Values of the trained tensors after the steps made so far. They are noised, so they may be shown. STEP_ORDER while
   * a step is under way.
   */
  current(): readonly NamedTensor[]
  /** The update, once all `steps` were made; rejects with STEP_ORDER before that and after the first call. */
  finish(): Promise<PrivateUpdate>
}

/**
 * Begins a round against a durable reservation. Fails closed: RESERVATION_MISSING without an unused reservation,
 * TERMS_CHANGED when clipNorm, noiseMultiplier, sampleRate or steps differ from the event that was reserved,
 * SHAPE_MISMATCH and NOT_FINITE for a start that does not fit, NOISE_INVALID for numbers that make no step.
 *
 * A reservation that resumes goes on after the step that its ledger recorded: RESERVATION_MISSING unless `resume` has
 * the bytes of that step, by their hash, and they are of this round, these terms and this start. So numbers from a disk
 * become part of an update only where a ledger vouches that the mechanism noised them.
 */
export function beginPrivateRound(options: PrivateRoundOptions): PrivateRound {
  const reserved = useReservation(options.reservation)
  requireTerms(options, reserved)
  const { specs, start, steps, sampleRate, clipNorm, noiseMultiplier, learningRate, expectedLotSize } = options
  requireSpecs(start, specs, 'Start the round from the published state of this run.')
  requireFinite(start, 'finite parameters to start from', 'Refuse the published state and ask for it again.')
  const momentum = options.momentum ?? 0
  const bits = RandomBits.from(options.source)
  const lotBits = options.lotSource === undefined ? bits : RandomBits.from(options.lotSource)
  const savedFor = savedForOf(options, reserved)
  const resumed = resumedState(options, reserved)
  const isSecure = [bits, lotBits].every(({ kind }) => kind === 'os-csprng') && resumed?.randomness !== 'NOT PRIVATE'
  const randomness: Randomness = isSecure ? 'secure' : 'NOT PRIVATE'

  const dimension = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const split = splitNoise(noiseMultiplier, options.adaptiveClipping)
  const noise = discreteGaussian(gridSigma({ noiseMultiplier: split.sum, dimension }))
  const voteNoise = options.adaptiveClipping && discreteGaussian(voteSigma(split.votes))
  let noisedVotes = resumed?.noisedVotes ?? 0
  const stepScale = (learningRate * gridOf(clipNorm)) / expectedLotSize
  const before = start.map(({ data }) => data.slice())
  const theta = resumed?.theta ?? before.map((values) => new Float64Array(values))
  const velocity = resumed?.velocity ?? before.map(({ length }) => new Float64Array(length))
  let stepsDone = resumed?.step ?? 0
  let stage: Stage = 'draw'

  const turn = options.turn ?? NO_TURN
  const advance = (from: 'draw' | 'step', to: Stage) => {
    if (stage !== from) throw outOfOrder(from === 'draw' ? 'drawLot' : 'step', stage)
    stage = to
  }
  const addNoiseAndMove = async (gridSum: readonly Float64Array[]): Promise<void> => {
    const pieces = new Pieces(turn, 'noise')
    for (const [t, values] of theta.entries()) {
      const [sum, v] = [gridSum[t]!, velocity[t]!]
      await pieces.each(values.length, (begin, end) => {
        const noisySum = new Float64Array(end - begin)
        noise.fill(bits, noisySum)
        for (let i = begin; i < end; i++) {
          v[i] = momentum * v[i]! + (sum[i]! + noisySum[i - begin]!)
          values[i]! -= stepScale * v[i]!
        }
      })
    }
  }

  return {
    randomness,
    get stepsDone() {
      return stepsDone
    },
    drawLot(records) {
      if (stepsDone === steps) throw beyondReservation(steps)
      advance('draw', 'step')
      return drawPoissonLot(lotBits, records, sampleRate)
    },
    async step(lot) {
      if (stepsDone === steps) throw beyondReservation(steps)
      advance('step', 'stepping')
      try {
        await addNoiseAndMove(gridSumOf(lot, { specs, clipNorm }))
        if (voteNoise !== undefined) {
          const drawn = new Float64Array(1)
          voteNoise.fill(bits, drawn)
          noisedVotes += lot.votes * VOTE_UNIT + drawn[0]!
        }
      } catch (error) {
        stage = 'closed'
        throw error
      }
      stepsDone += 1
      stage = reserved.stepwise === true && stepsDone < steps ? 'keep' : 'draw'
    },
    async save() {
      if (stepsDone === 0 || (stage !== 'keep' && stage !== 'draw')) throw outOfOrder('save', stage)
      const before = stage
      stage = 'saving'
      try {
        const state = { step: stepsDone, randomness, noisedVotes, theta, velocity }
        return await savedStep(reserved, savedFor, state, turn)
      } finally {
        stage = before
      }
    },
    kept(proof) {
      if (stage !== 'keep') throw outOfOrder('kept', stage)
      requireKept(proof, reserved, stepsDone)
      stage = 'draw'
    },
    current() {
      if (stage === 'stepping') throw outOfOrder('current', stage)
      return specs.map(({ name, shape }, t) => ({ name, shape, data: new Float32Array(theta[t]!) }))
    },
    async finish() {
      if (stage !== 'draw' || stepsDone !== steps)
        throw outOfOrder('finish', `${stepsDone} of ${steps} steps made, ${stage}`)
      stage = 'closed'
      const deltas: NamedTensor[] = []
      const pieces = new Pieces(turn, 'arithmetic')
      for (const [t, { name, shape }] of specs.entries()) {
        const [data, from, to] = [new Float32Array(before[t]!.length), before[t]!, theta[t]!]
        await pieces.each(data.length, (begin, end) => {
          for (let i = begin; i < end; i++) data[i] = to[i]! - from[i]!
          requireFinite(
            [{ name, shape, data: data.subarray(begin, end) }],
            'an update that float32 can hold',
            'Lower the learning rate; the round diverged and nothing was released.',
          )
        })
        deltas.push({ name, shape, data })
      }
      const share = options.adaptiveClipping && shareUnder(noisedVotes, expectedLotSize * steps)
      return privateUpdate(deltas, reserved, randomness, share)
    },
  }
}

/** What a saved step of a round has to be of. */
export type SavedStepTerms = Omit<PrivateRoundOptions, 'start' | 'reservation' | 'source' | 'turn' | 'resume'>

function savedForOf(options: SavedStepTerms, { runId, round, datasetFingerprint }: Place): SavedFor {
  const { clipNorm, adaptiveClipping, noiseMultiplier, sampleRate, agreedSteps: steps = options.steps } = options
  const { learningRate, expectedLotSize, momentum = 0, specs, startId = '' } = options
  const drawn = { clipNorm, adaptiveClipping, noiseMultiplier, sampleRate, steps }
  const moved = { learningRate, expectedLotSize, momentum, tensors: specs.map(({ name, shape }) => [name, ...shape]) }
  return { runId, round, datasetFingerprint, startId, terms: JSON.stringify({ ...drawn, ...moved }) }
}

type Place = Pick<ReservedEntry, 'runId' | 'round' | 'datasetFingerprint'>

/**
 * Whether a round of these options can go on from saved bytes. It is asked before the step is paid for: what would be
 * refused afterwards costs nothing.
 */
export function canResume(saved: SavedBytes, savedSha256: string, options: SavedStepTerms, place: Place): boolean {
  return stateIn(saved, savedSha256, options, place) !== undefined
}

function stateIn(
  { bytes, sha256 }: SavedBytes,
  savedSha256: string | undefined,
  options: SavedStepTerms,
  place: Place,
): RoundState | undefined {
  if (hexOf(sha256(bytes)) !== savedSha256) return undefined
  const found = decodeSavedStep(bytes)
  const sizes = options.specs.map(({ shape }) => sizeOf(shape))
  const fits =
    found !== undefined &&
    options.startId !== undefined &&
    JSON.stringify(found.savedFor) === JSON.stringify(savedForOf(options, place)) &&
    sizes.length === found.state.theta.length &&
    sizes.every((size, t) => found.state.theta[t]!.length === size)
  return fits ? found.state : undefined
}

/** The state that the reservation says to go on from; undefined for a round from its start. */
function resumedState(options: PrivateRoundOptions, reserved: ReservedEntry): RoundState | undefined {
  const { resume } = options
  const due = reserved.resumes !== undefined && reserved.resumes.step > 0
  if (!due && resume === undefined) return undefined
  const state = due && resume ? stateIn(resume, reserved.resumes.savedSha256, options, reserved) : undefined
  if (state !== undefined && state.step === reserved.resumes?.step) return state
  throw new FedsvdError('RESERVATION_MISSING', {
    expected: due ? `the saved step that the ledger recorded` : 'no saved step for a round from its start',
    got: resume === undefined ? 'no saved step' : 'bytes of another step',
    remedy: 'Begin the round anew, with a reservation for all of its steps.',
  })
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function requireTerms(terms: PrivateRoundTerms, reserved: ReservedEntry): void {
  const { event } = reserved
  const paidFor = { ...event, steps: stepsOf(reserved) }
  const same =
    event.mechanism === 'poisson-subsampled-gaussian' &&
    event.unit !== 'client' &&
    event.relation === 'add-or-remove-one' &&
    (['noiseMultiplier', 'sampleRate', 'steps'] as const).every((term) => terms[term] === paidFor[term]) &&
    (terms.clipNorm === event.clipNorm || (terms.adaptiveClipping !== undefined && isPositive(terms.clipNorm)))
  if (!same) {
    const { clipNorm, noiseMultiplier, sampleRate, steps } = terms
    throw new FedsvdError('TERMS_CHANGED', {
      expected: `the terms that were reserved, ${JSON.stringify(paidFor)}`,
      got: JSON.stringify({ clipNorm, noiseMultiplier, sampleRate, steps }),
      remedy: 'Reserve what is to be run; nothing was drawn.',
    })
  }
  requireClipNorm(terms.clipNorm)
  const { learningRate, expectedLotSize, momentum = 0 } = terms
  if (!(isPositive(learningRate) && isPositive(expectedLotSize) && momentum >= 0 && momentum < 1)) {
    throw new FedsvdError('NOISE_INVALID', {
      expected: 'learningRate > 0, expectedLotSize > 0 and 0 <= momentum < 1',
      got: JSON.stringify({ learningRate, expectedLotSize, momentum }),
      remedy: 'Correct the terms of the run; nothing was drawn.',
    })
  }
}

function outOfOrder(call: string, state: string): FedsvdError {
  return new FedsvdError('STEP_ORDER', {
    expected: `${call} in its turn: drawLot, step, drawLot, step and so on, then finish once`,
    got: `it at the stage "${state}"`,
    remedy: 'Abandon this round; a new attempt needs a new reservation.',
  })
}

function beyondReservation(steps: number): FedsvdError {
  return new FedsvdError('RESERVATION_MISSING', {
    expected: `at most the ${steps} steps that were reserved`,
    got: `step ${steps + 1}`,
    remedy: 'Finish this round; further steps need a reservation of their own.',
  })
}
