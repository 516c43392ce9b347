export { type RunFacts, runRequestOf } from './run-request-of.ts'
export { type RunConfig, runConfigSchema } from './schema.ts'
