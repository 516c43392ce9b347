export { dumpEmbeddedDatabase, makeEmbeddedDatabase, openEmbeddedStore } from './embedded/embedded-database.ts'
export { openPostgresStore } from './postgres.ts'
