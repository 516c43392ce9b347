export { osRandomness } from './os-randomness.ts'
export { publicKeyFrom } from './public-key.ts'
