export type { BlobStore, PendingBlob, StoredBlob } from './blob-store.ts'
export { openFileBlobs } from './file-blobs.ts'
export { memoryBlobs } from './memory-blobs.ts'
export { openBlobs } from './open-blobs.ts'
