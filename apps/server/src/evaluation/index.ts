export { Evaluations } from './evaluations.ts'
export type { Evaluator, EvaluatorFactory } from './evaluator.ts'
export { evaluatorOn } from './evaluator-on.ts'
export { type HoldOutOptions, holdOutEvaluators } from './hold-out.ts'
