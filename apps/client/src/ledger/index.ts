export { type MakeFilter, RULES, requireBudget, ruleOf, ruleOfClass } from './budget.ts'
export { canonicalJson, sha256Hex } from './chain.ts'
export { type BudgetInUse, budgetInUse } from './charged.ts'
export { type AttemptKey, budgetNameSchema, type LedgerEntry, type LedgerFact, SITE_BUDGET } from './entry.ts'
export { type LedgerOptions, ledgerPath, openLedger, type PaidCharge, type PrivacyLedger } from './ledger.ts'
export { lockLedger } from './lock.ts'
export { type NextAttempt, nextAttempt } from './next-attempt.ts'
export { outcomeOf } from './outcome.ts'
export { readLedger } from './read-ledger.ts'
export { budgetOfAllPeriods, dueRenewal } from './renewal.ts'
export { replay } from './replay.ts'
export { costOfRun, type RunCost } from './run-cost.ts'
export {
  attemptToGoOnWith,
  type BoundRun,
  type Charge,
  interruptedAttempt,
  type LedgerState,
  lastAttempt,
  spentEvents,
} from './state.ts'
export { hashOfStep, hashStep } from './step-hash.ts'
export { requireUnit, unitOfLedger } from './unit.ts'
export { spentBefore, spentByClass, worstOfClasses } from './unit-classes.ts'
export { type VerifiedLedger, verifyLedgerBytes } from './verify.ts'
export { type LedgerVerdict, type LedgerView, ledgerFiles, showLedger, verifyLedger } from './view.ts'
