import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dashboard } from './dashboard.ts'

const SCRIPT = 'console.log("the dashboard")\n'.repeat(50)
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

let folder: string
let server: Server

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'fedsvd-dashboard-'))
  const app = express()
  app.use(dashboard(folder))
  app.use((_request, response) => {
    response.status(404).json({ error: {} })
  })
  server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  // The page is built while the coordinator runs.
  await mkdir(path.join(folder, 'assets'))
  await writeFile(path.join(folder, 'index.html'), '<script src="./assets/main.js"></script>')
  await writeFile(path.join(folder, 'assets/main.js'), SCRIPT)
  await writeFile(path.join(folder, 'assets/main.js.br'), brotliCompressSync(SCRIPT))
  await writeFile(path.join(folder, 'assets/main.js.gz'), gzipSync(SCRIPT))
  await writeFile(path.join(folder, 'assets/plain.css'), 'body{}')
})
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

/** Status, headers and length, with nothing unpacked on the way. */
async function ask(address: string, headers: Record<string, string> = {}) {
  const { port } = server.address() as AddressInfo
  const [response] = (await once(get({ port, path: address, headers }), 'response')) as [IncomingMessage]
  let length = 0
  for await (const chunk of response) length += (chunk as Buffer).length
  return { status: response.statusCode, headers: response.headers, length }
}

describe('the assets of the dashboard', () => {
  it.each([
    ['br', 'gzip, deflate, br, zstd'],
    ['gzip', 'gzip'],
  ])('travel as the build has compressed them: %s', async (encoding, accepted) => {
    const { status, headers, length } = await ask('/assets/main.js', { 'accept-encoding': accepted })
    expect(headers).toMatchObject({ 'content-encoding': encoding, vary: expect.stringMatching(/accept-encoding/i) })
    expect(headers['content-type']).toMatch(/javascript/)
    expect(headers['cache-control']).toMatch(/immutable/)
    expect([status, length < SCRIPT.length / 5]).toEqual([200, true])
  })

  it.each([
    ['/assets/main.js', ''],
    ['/assets/plain.css', 'br'],
  ])('travel as they are where nothing else is taken or there: %s', async (address, accepted) => {
    const { status, headers } = await ask(address, { 'accept-encoding': accepted })
    expect([status, headers['content-encoding']]).toEqual([200, undefined])
  })

  it.each(['/assets/none.js', '/assets/../index.html', '/assets/%2e%2e/index.html.js'])(
    'are none where there is none: %s',
    async (address) => {
      expect(await ask(address, { 'accept-encoding': 'br', accept: '*/*' })).toMatchObject({ status: 404 })
    },
  )
})

describe('an address that there is no view at', () => {
  it('is a page to a browser, and JSON to programs', async () => {
    expect(await ask('/no/such/view', { accept: BROWSER })).toMatchObject({
      status: 404,
      headers: { 'content-type': expect.stringMatching(/html/) },
    })
    for (const accept of ['*/*', 'application/json']) {
      expect((await ask('/no/such/view', { accept })).headers['content-type']).toMatch(/json/)
    }
    for (const address of ['/v1/nothing', '/assets/none.js']) {
      expect((await ask(address, { accept: BROWSER })).headers['content-type']).toMatch(/json/)
    }
    expect(await ask('/reports', { accept: BROWSER })).toMatchObject({ status: 200 })
  })
})
