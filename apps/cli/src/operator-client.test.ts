import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchAdapterFrame, fetchRun } from './operator-client.ts'

const RUN = '11111111-1111-4111-8111-111111111111'

describe('an answer of a coordinator that never ends', () => {
  let server: Server
  let sent = 0
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  /** A coordinator that says good things without end. */
  async function endless(chunk: Buffer): Promise<{ readonly url: string; readonly token: string }> {
    sent = 0
    server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const send = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length
        if (!response.destroyed) response.once('drain', send)
      }
      send()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'token' }
  }

  it('is taken up to what a snapshot may have, and refused', async () => {
    const access = await endless(Buffer.alloc(2 ** 20, ' '))
    await expect(fetchRun(access, RUN)).rejects.toMatchObject({ code: 'MESSAGE_INVALID' })
    expect(sent).toBeLessThan(80 * 2 ** 20)
  })

  it('is taken up to the size of the state, and refused', async () => {
    const access = await endless(Buffer.alloc(1000))
    await expect(fetchAdapterFrame(access, RUN, 10_000)).rejects.toThrow('an answer of at most 10000 bytes')
    expect(sent).toBeLessThan(2 ** 20 * 8)
  })
})
