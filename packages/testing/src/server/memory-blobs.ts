export { memoryBlobs } from '@fedsvd/server/storage/objects'
