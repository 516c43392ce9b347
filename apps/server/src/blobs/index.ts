export type { BlobStore, PendingBlob } from './blob-store.ts'
export { openFileBlobs } from './file-blobs.ts'
