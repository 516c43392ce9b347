export { hostDevice } from './host-device.ts'
export { layersOf, type RefactoriseRoute, refactoriseContract } from './refactorise-contract.ts'
