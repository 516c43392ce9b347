import path from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CoordinatorConfig } from '../../config.ts'
import type { BlobStore } from './blob-store.ts'
import { openFileBlobs } from './file-blobs.ts'
import { openS3Blobs } from './s3-blobs.ts'

type Settings = Pick<
  CoordinatorConfig,
  'blobs' | 'stateDir' | 's3Endpoint' | 's3Region' | 's3AccessKeyId' | 's3SecretAccessKey' | 's3SessionToken'
>

/**
 * The store that the settings name: `s3://bucket/prefix`, another folder, or the folder `blobs` of the state folder.
 *
 * @throws FedsvdError CONFIG_INVALID for an object store without credentials
 */
export async function openBlobs(settings: Settings): Promise<BlobStore> {
  const { blobs, stateDir, s3Region: region } = settings
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/*$/.exec(blobs ?? '') ?? []
  if (bucket === undefined) return await openFileBlobs(path.resolve(blobs ?? path.join(stateDir, 'blobs')))
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey, s3SessionToken: sessionToken } = settings
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `credentials for ${blobs}`,
      got: `no ${accessKeyId === undefined ? 'AWS_ACCESS_KEY_ID' : 'AWS_SECRET_ACCESS_KEY'}`,
      remedy: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    })
  }
  const endpoint = settings.s3Endpoint ?? `https://s3.${region}.amazonaws.com`
  const access = { accessKeyId, secretAccessKey, sessionToken }
  return await openS3Blobs({ endpoint, region, bucket, prefix, ...access }, path.join(stateDir, 'incoming'))
}
