export type { Accountant } from './accountant.ts'
export { type BudgetQuestion, calibrateNoiseMultiplier, NOISE_RANGE, stepsAffordable } from './calibrate.ts'
export { closedFormEpsilon } from './closed-form.ts'
export {
  type AccountedEvent,
  ADVERSARY,
  eventOfClientLevelRound,
  eventOfRound,
  type PrivacyEvent,
  type PrivacyUnit,
  SITE_UNITS,
  type SiteUnit,
  unitOfRun,
} from './event.ts'
export { checkEvent, finiteEpsilon, LEAST_DELTA, mechanismKey, mergeEvents } from './events.ts'
export {
  bestOrder,
  chooseRule,
  type FilterRule,
  type FirstRun,
  filterOf,
  type PrivacyBudget,
  type PrivacyFilter,
  ruleOfFacts,
  scheduleRule,
} from './filter.ts'
export { groupEpsilonUpperBound, LARGEST_GROUP } from './group-privacy.ts'
export { mostAffordable } from './most-affordable.ts'
export { laterRule, type PlanQuestion, type PlanRow, planTable } from './plan-table.ts'
export { type PldAccount, pld } from './pld.ts'
export { RDP_ORDERS, type RdpAccount, rdp, renyiDivergences } from './rdp.ts'
export { roundsWithSpares, type Schedule, scheduledSteps } from './spare-steps.ts'
export type { SubsampledGaussian } from './subsampled-gaussian.ts'
