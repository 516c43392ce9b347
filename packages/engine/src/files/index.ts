export { type FileLock, lockFile } from './lock-file.ts'
