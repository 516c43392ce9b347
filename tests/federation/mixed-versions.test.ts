import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { networkTransport } from '../../apps/client/src/transport/index.ts'
import { PROTOCOL_HEADER, PROTOCOL_VERSION } from '../../packages/core/src/protocol/index.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'
import { type TestCoordinator, testCoordinator } from '../../packages/testing/src/server/coordinator.ts'
import { post } from '../../packages/testing/src/server/fake-client.ts'

const NEWER = PROTOCOL_VERSION + 1
const OLDER = PROTOCOL_VERSION - 1

/** Coordinators and sites of two releases either understand each other or say which side to upgrade. */
describe('a coordinator', () => {
  let coordinator: TestCoordinator
  beforeAll(async () => {
    coordinator = await testCoordinator()
  })
  afterAll(() => coordinator[Symbol.asyncDispose]())

  it.each([
    [NEWER, /The coordinator is the older one: upgrade fedsvd where the coordinator runs/],
    [OLDER, /The client is the older one: upgrade fedsvd at the site/],
  ])('says whom to upgrade when a client speaks version %i, whatever else it says', async (version, remedy) => {
    const client = await coordinator.client(`speaks ${version}`)
    const asked = { ...(await client.handshake()), protocolVersion: version, unheardOf: true }
    await expect(client.connect(asked)).rejects.toMatchObject({
      code: 'PROTOCOL_VERSION',
      message: expect.stringMatching(remedy),
    })
    const enrolment = { protocolVersion: version, token: await coordinator.enrolment(), unheardOf: true }
    await expect(post(coordinator.url, '/v1/enrol', enrolment)).rejects.toThrow(remedy)
    const challenge = await fetch(`${coordinator.url}/v1/challenge`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', [PROTOCOL_HEADER]: String(version) },
      body: '{"unheardOf":true}',
    })
    expect([challenge.status, await challenge.text()]).toEqual([426, expect.stringMatching(remedy)])
  })

  it('names its version in every answer, and takes a peer that names none by what it says', async () => {
    for (const path of ['/healthz', '/v1/runs', '/no-such-page']) {
      expect((await fetch(`${coordinator.url}${path}`)).headers.get(PROTOCOL_HEADER)).toBe(String(PROTOCOL_VERSION))
    }
    await expect(post(coordinator.url, '/v1/challenge', {})).rejects.toMatchObject({ code: 'MESSAGE_INVALID' })
  })
})

describe('a site', () => {
  it.each([
    [NEWER, /The client is the older one: upgrade fedsvd at the site/],
    [OLDER, /The coordinator is the older one: upgrade fedsvd where the coordinator runs/],
  ])('says whom to upgrade when the coordinator speaks version %i', async (version, remedy) => {
    const server = createServer((_, response) => {
      response.writeHead(200, { [PROTOCOL_HEADER]: version, 'content-type': 'application/json' })
      response.end('{"nonce":"abc","unheardOf":true}')
    }).listen(0)
    using folder = temporaryFolder()
    const transport = networkTransport(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    try {
      await expect(startSite({ folder: folder.path, transport })).rejects.toMatchObject({
        code: 'PROTOCOL_VERSION',
        message: expect.stringMatching(remedy),
      })
    } finally {
      server.close()
    }
  })
})
