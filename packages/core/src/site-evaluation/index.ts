export { type EvaluationFigures, evaluationFigures } from './figures.ts'
export {
  BOUND,
  countsOf,
  type EvaluationCounts,
  type EvaluationLayout,
  evaluationLayout,
  type Prediction,
  vectorOfUnit,
} from './layout.ts'
export {
  type EvaluatedRun,
  evaluationsIn,
  eventOfEvaluation,
  isEvaluationRound,
  type SiteEvaluation,
  scheduledEvaluations,
} from './schedule.ts'
