export { type MakeFilter, RULES, requireBudget, ruleOf } from './budget.ts'
export { canonicalJson, sha256Hex } from './chain.ts'
export { type AttemptKey, budgetNameSchema, type LedgerEntry, type LedgerFact, SITE_BUDGET } from './entry.ts'
export { type LedgerOptions, ledgerPath, openLedger, type PaidCharge, type PrivacyLedger } from './ledger.ts'
export { type NextAttempt, nextAttempt } from './next-attempt.ts'
export { outcomeOf } from './outcome.ts'
export { readLedger } from './read-ledger.ts'
export {
  type BoundRun,
  type Charge,
  interruptedAttempt,
  type LedgerState,
  lastAttempt,
  replay,
  spentEvents,
} from './replay.ts'
export { requireUnit, unitOfLedger } from './unit.ts'
export { type VerifiedLedger, verifyLedgerBytes } from './verify.ts'
export { type LedgerVerdict, type LedgerView, ledgerFiles, showLedger, verifyLedger } from './view.ts'
