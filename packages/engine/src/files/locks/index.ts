export { type FileLock, lockData, lockFile } from './lock-file.ts'
