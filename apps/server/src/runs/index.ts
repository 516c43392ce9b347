export { Conductor, type ConductorParts } from './conductor.ts'
