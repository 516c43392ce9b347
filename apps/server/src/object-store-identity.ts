import path from 'node:path'
import type { CoordinatorConfig } from './config.ts'
import { secretFile } from './identity/index.ts'

/** What tells the object store of a coordinator from another one: its address, or a secret that is kept in its folder. */
export async function objectStoreIdentity({ blobs, s3Endpoint, stateDir }: CoordinatorConfig): Promise<string> {
  if (blobs?.startsWith('s3://')) return `${s3Endpoint ?? 'aws'} ${blobs}`
  return await secretFile(path.join(path.resolve(blobs ?? path.join(stateDir, 'blobs')), 'identity'))
}
