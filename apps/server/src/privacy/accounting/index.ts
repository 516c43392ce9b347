export type { NoiseQuestion, Question, RuleQuestion } from './answer.ts'
export type { AccountingWorker } from './lane.ts'
export { type AccountingThread, accountingThread, sharedAccountingThread, THREAD_LIMITS } from './thread.ts'
