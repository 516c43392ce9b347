export { dumpEmbeddedDatabase, makeEmbeddedDatabase, openEmbeddedStore } from './embedded-database.ts'
