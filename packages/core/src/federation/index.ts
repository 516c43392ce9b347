export { type Aggregation, type AggregationRule, beginAggregation, leastUpdates } from './aggregation.ts'
export { type UpdateSize, updateNormBound } from './norm-bound.ts'
export { beginMean, type RunningMean } from './running-mean.ts'
export { type Method, serverStep } from './server-step.ts'
