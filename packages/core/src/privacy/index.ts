export {
  type AdaptiveClipping,
  adaptedClipNorm,
  CLIP_NORM_RANGE,
  shareUnder,
  splitNoise,
  VOTE_UNIT,
  voteSigma,
  votesOn,
} from './adaptive-clipping.ts'
export {
  beginClientLevelRound,
  type ClientLevelMean,
  type ClientLevelOptions,
  type ClientLevelRound,
} from './client-level.ts'
export { type Clipped, clipFlat, gridContribution } from './clip.ts'
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
export {
  type DurableStep,
  durableStepFrom,
  type KeptStep,
  type Reservation,
  type ReservedEntry,
  type Resumption,
  reservationFrom,
} from './reservation.ts'
export { assertSavedStep, type SavedFor, type SavedStep } from './saved-step.ts'
export {
  discretisationSlack,
  GRID_BITS,
  gridOf,
  gridSensitivity,
  gridSigma,
  MAX_MICRO_BATCH,
  NORM_SLACK,
} from './sensitivity.ts'
