import path from 'node:path'
import type { CoordinatorConfig } from './config.ts'
import { secretFile } from './identity/index.ts'
import { SECRETS } from './secrets.ts'

/**
 * What tells the object store of a coordinator from another one: its address, or a secret that is kept in its folder.
 */
export async function objectStoreIdentity({ blobs, s3Endpoint, stateDir }: CoordinatorConfig): Promise<string> {
  if (blobs?.startsWith('s3://')) return `${s3Endpoint ?? 'aws'} ${blobs}`
  const folder = path.resolve(blobs ?? path.join(stateDir, 'blobs'))
  return await secretFile(path.join(folder, 'identity'), SECRETS.objectStoreIdentity)
}
