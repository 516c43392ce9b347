export { osRandomness } from './os-randomness.ts'
export { publicKeyFrom } from './public-key.ts'
export { nodePrimitives, signerOf } from './secure-aggregation.ts'
