export { memoryBlobs } from '../src/blobs/index.ts'
