export { type EpsilonBounds, epsilonBounds } from './epsilon.ts'
export { type Reconciliation, reconcile } from './reconcile.ts'
export { SpendingBook } from './spending.ts'
export { checkTerms, sameTerms } from './terms.ts'
