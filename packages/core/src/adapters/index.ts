export { type Initialiser, initialState } from './initialise.ts'
export { type Refactorised, refactorise, refactoriseLayer } from './refactorise.ts'
export * from './schema.ts'
export { checkSchema, stateFromTensors, tensorsOfState } from './validate.ts'
