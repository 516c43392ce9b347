export { participationsOf } from './client-detail.ts'
export { iso } from './iso.ts'
export { runLedger } from './run-ledger.ts'
export { runRounds } from './run-rounds.ts'
