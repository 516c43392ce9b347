export { Evaluations } from './evaluations.ts'
export type { Evaluator, EvaluatorFactory } from './evaluator.ts'
