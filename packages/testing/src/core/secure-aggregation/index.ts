export { quickPrimitives, quickSigner } from './quick-primitives.ts'
export { type SimulatedSite, SimulatedSum, SUM_TERMS } from './simulated-sum.ts'
