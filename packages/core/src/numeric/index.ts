export { type Bracket, findCrossing, lastNotAbove } from './crossing.ts'
export { fourierError, realFourier } from './fourier.ts'
export { LogSum, logAddExp, logSubExp, logSumExp } from './log-space.ts'
export { GAUSS_3, GAUSS_5, type Quadrature } from './quadrature.ts'
