export {
  closeUploads,
  isConfirmed,
  openingOf,
  takeConfirmation,
  takeMasked,
  takeReveal,
} from './coordinator-opening.ts'
export { beginCollection, closeRoster, closeSharing, takeAdvertisement, takeShares } from './coordinator-shares.ts'
export type { CoordinatorState, RevealedShares } from './coordinator-state.ts'
export { degreeFor } from './degree.ts'
export { DurableSite, type SaveState } from './durable-site.ts'
export { type Consortium, certifiedSites, certifySite, type KnownSites, pinnedSites } from './known-sites.ts'
export type {
  Advertisement,
  Certificate,
  Confirmation,
  Delivery,
  Opening,
  Reveal,
  RosterMessage,
  SharesMessage,
} from './messages.ts'
export {
  convolutionSlack,
  excessNoise,
  type NoiseTarget,
  noiseOfShares,
  noiseShare,
  shareSigma,
} from './noise-shares.ts'
export { missingShares, openSum } from './open-sum.ts'
export type { Primitives, Signer } from './primitives.ts'
export { integersOf, type ModulusBits, type RingVector, ringBytes, ringVectorOf, vectorFrom } from './ring.ts'
export { answerOpening, leaveSum, maskUpdate } from './site-opening.ts'
export { beginSum, receiveShares, shareSecrets } from './site-shares.ts'
export type { SiteAnswer, SiteContext, SiteState, SiteStep } from './site-state.ts'
export { type StepOfSum, stepOfSum } from './step-of-sum.ts'
export { storedCoordinatorState, storedSiteState } from './stored-state.ts'
export { requireSuitableRun } from './suitable-run.ts'
export {
  epsilonsOfSums,
  eventsOfSums,
  type PartInSums,
  type SpendingInSums,
  type SumGuarantee,
} from './sum-accounting.ts'
export { type SumTerms, sumTermsSchema } from './terms.ts'
export { SITES, sumThresholds, type Thresholds, type Tolerance } from './thresholds.ts'
export { modulusFor, type SumSize, wrapAroundProbability } from './wrap-around.ts'
