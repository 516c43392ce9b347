export { FOREIGN_BYTES, type ForeignFile, foreignFile } from './foreign-file.ts'
export { type FileLock, lockData, lockFile } from './lock-file.ts'
export { type JsonObject, jsonObject, readBytes } from './read-json.ts'
export { repeatedKey } from './repeated-key.ts'
