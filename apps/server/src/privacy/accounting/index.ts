export type { NoiseQuestion, Question } from './answer.ts'
export { type AccountingThread, accountingThread, sharedAccountingThread, THREAD_LIMITS } from './thread.ts'
