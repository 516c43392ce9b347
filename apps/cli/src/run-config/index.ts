export { type RunFacts, runRequestOf } from './run-request-of.ts'
export { RUN_SCHEMA, type RunConfig, runConfigSchema } from './schema.ts'
