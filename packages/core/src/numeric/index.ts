export { type Bracket, findCrossing, lastNotAbove } from './crossing.ts'
export { LogSum, logAddExp, logSubExp, logSumExp } from './log-space.ts'
