import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../../../packages/core/src/errors.ts'
import {
  call,
  S3_BUCKET,
  S3_KEYS,
  S3_REGION,
  s3Double,
  testCoordinator,
  until,
} from '../../../packages/testing/src/server/index.ts'
import { completeConfig, settingsFromEnvironment } from '../src/index.ts'
import { createLog } from '../src/telemetry/index.ts'

describe('a coordinator on an object store', () => {
  it('runs a whole run there, is not ready while it is away, and goes on with the same round after', async () => {
    await using double = await s3Double()
    const environment = {
      FEDSVD_BLOBS: `s3://${S3_BUCKET}/site/one`,
      AWS_ENDPOINT_URL_S3: double.endpoint,
      AWS_REGION: S3_REGION,
      AWS_ACCESS_KEY_ID: S3_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: S3_KEYS.secretAccessKey,
    }
    await using coordinator = await testCoordinator(settingsFromEnvironment(environment))
    const { runId } = await coordinator.createRun({ clientsPerRound: 1, quorum: 1, rounds: 2 })
    const client = await coordinator.client('site', { train: async () => {} })
    await client.connect()
    const invitation = await until('the invitation', () => client.invitations[0])
    expect((await client.download(invitation.state.sha256)).length).toBe(invitation.state.bytes)

    double.fail({ status: 503, code: 'SlowDown' })
    await expect(client.upload(invitation)).rejects.toThrow(/STORAGE_UNAVAILABLE/)
    expect(await call(coordinator.url, 'GET /readyz')).toMatchObject({ status: 503, code: 'STORAGE_UNAVAILABLE' })
    double.fail(undefined)
    await client.upload(invitation)
    await client.upload(await until('the second round', () => client.invitations[1]))
    const { adapter } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect([...double.objects.keys()]).toContain(`site/one/${adapter}`)
    expect(double.refusals).toEqual([])
  })

  it('says in its log at the start when nothing can be stored there, and starts all the same', async () => {
    await using double = await s3Double()
    double.fail({ status: 403, code: 'AccessDenied' })
    let lines = ''
    const stream = new Writable({
      write(chunk, _, done) {
        lines += String(chunk)
        done()
      },
    })
    const settings = {
      blobs: `s3://${S3_BUCKET}/site/one`,
      s3Endpoint: double.endpoint,
      s3Region: S3_REGION,
      s3AccessKeyId: S3_KEYS.accessKeyId,
      s3SecretAccessKey: S3_KEYS.secretAccessKey,
    }
    await using _coordinator = await testCoordinator(settings, { log: createLog('error', stream) })
    const line = await until('the line', () =>
      lines.split('\n').find((text) => text.includes('writing to the object store failed')),
    )
    expect(line).toContain('STORAGE_UNAVAILABLE')
  })

  it.each([
    ['an object store without credentials', { blobs: 's3://bucket' }, /AWS_ACCESS_KEY_ID/],
    ['a bucket that is none', { blobs: 's3://A_B' }, /FEDSVD_BLOBS/],
    ['another scheme', { blobs: 'gs://bucket' }, /FEDSVD_BLOBS/],
    ['an endpoint that is none', { s3Endpoint: 'ftp://host' }, /AWS_ENDPOINT_URL_S3/],
  ])('does not start with %s', async (_, settings, remedy) => {
    const error = await testCoordinator(settings).catch((fault: unknown) => fault)
    expect(isFedsvdError(error, 'CONFIG_INVALID') && error.detail.remedy).toMatch(remedy)
  })

  it.each([
    ['true', true],
    ['0', false],
    ['', false],
  ])('keeps updates as the environment says: %j', (text, keepUpdates) => {
    expect(completeConfig(settingsFromEnvironment({ FEDSVD_KEEP_UPDATES: text }))).toMatchObject({ keepUpdates })
  })

  it('takes a folder in its place', () => {
    expect(completeConfig({ blobs: '/srv/tensors' }).blobs).toBe('/srv/tensors')
    expect(completeConfig({ blobs: 'C:\\tensors' }).blobs).toBe('C:\\tensors')
  })
})
