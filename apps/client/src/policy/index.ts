export { type Declaration, requireDeclaredKind } from './declaration.ts'
export { catalogued, toWireError } from './refusals.ts'
export {
  RUN_LIMITS,
  type RunLimits,
  requireRoomForRun,
  requireStateSize,
  requireUsualState,
  requireWithinLimits,
  runLimitsSchema,
} from './run-limits.ts'
export {
  type GrantedRun,
  requireMonthAllowed,
  requireRunAllowed,
  requireStepsAllowed,
  requireTermsAllowed,
  type SitePolicy,
  sitePolicySchema,
} from './site-policy.ts'
export { roundFailureCode, WIRE_CODES, wireCode } from './wire-codes.ts'
