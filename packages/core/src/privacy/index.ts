export {
  type AdaptiveClipping,
  adaptedClipNorm,
  CLIP_NORM_RANGE,
  shareUnder,
  splitNoise,
  VOTE_UNIT,
  voteSigma,
} from './adaptive-clipping.ts'
export {
  beginClientLevelRound,
  type ClientLevelMean,
  type ClientLevelOptions,
  type ClientLevelRound,
} from './client-level.ts'
export type { GradientPart } from './clip.ts'
export { beginClippedSum, type ClippedSum, type ClippedSumBuilder, type ClipTerms } from './clipped-sum.ts'
export { isWithinNoiseRatio, type TargetedRun, untouchedNoiseQuestion } from './noise-ratio.ts'
export {
  assertNoisedCounts,
  beginCounts,
  type CountsNoise,
  type CountsShape,
  type CountsSum,
  type NoisedCounts,
} from './noised-counts.ts'
export {
  beginPrivateRound,
  canResume,
  type PrivateRound,
  type PrivateRoundOptions,
  type PrivateRoundTerms,
  type SavedBytes,
  type SavedStepTerms,
} from './private-round.ts'
export { assertPrivateUpdate, type PrivateUpdate, type Randomness } from './private-update.ts'
export { deltaOfFigures, deltaWithoutMisses, type LotTerms, MISS_PROBABILITY, mostMembers } from './release-slot.ts'
export {
  type DurableStep,
  durableStepFrom,
  type KeptStep,
  type Reservation,
  type ReservedEntry,
  type Resumption,
  reservationFrom,
  stepsOf,
} from './reservation.ts'
export { assertSavedStep, type SavedFor, type SavedStep } from './saved-step.ts'
export {
  CLIP_TARGET,
  discretisationSlack,
  GRID_BITS,
  gridOf,
  gridSensitivity,
  gridSigma,
  mostNoiseMultiplier,
  squaredBound,
} from './sensitivity.ts'
export { NO_TURN, Pieces, type Turn } from './turns.ts'
