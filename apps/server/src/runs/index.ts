export { Conductor, type ConductorParts } from './conductor.ts'
export { schemaHashOf } from './create-run.ts'
