import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type HubDouble, hubDouble } from '@fedsvd/testing/engine/models/hub-double'
import { Server } from 'proxy-chain'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identityOf } from '../weights/huggingface/index.ts'
import { modelStore } from './model-store.ts'

const TINY = fileURLToPath(new URL('../training/vectors/encoders/bert', import.meta.url))
const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const PARTS = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']

let models: string
let hub: HubDouble
beforeEach(async () => {
  models = await mkdtemp(join(tmpdir(), 'fedsvd-hub-'))
  const parts = await Promise.all(
    PARTS.map(async (name) => [name, new Uint8Array(await readFile(join(TINY, name)))] as const),
  )
  const others = ['README.md', 'pytorch_model.bin', 'onnx/model.onnx'].map((name) => [name, new Uint8Array(9)] as const)
  const files = new Map([...parts, ...others])
  hub = await hubDouble({ name: 'lab/tiny-bert', commit: COMMIT, branches: ['main', 'v2'], files })
})
afterEach(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(models, { recursive: true })
})

const store = (token?: string) => modelStore({ models, hub: { url: hub.url, token, partBytes: 20_000 } })
const folder = () => join(models, `lab/tiny-bert@${COMMIT}`)

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe('a checkpoint of a hub', () => {
  it.each(['lab/tiny-bert', 'lab/tiny-bert@v2', `lab/tiny-bert@${COMMIT}`])(
    '%s is fetched at its commit, and the name says which',
    async (name) => {
      const model = await store('hf_secret').open({ name })
      expect(model.name).toBe(`lab/tiny-bert@${COMMIT}`)
      expect(await model.identity()).toEqual(await identityOf(TINY))
      expect((await readdir(folder())).sort()).toEqual(PARTS)
      expect(hub.downloads.map((download) => download.split(' ')[0]).at(-1)).toBe('config.json')
      expect(hub.authorizations).toEqual(new Set(['Bearer hf_secret']))
    },
  )

  it('is fetched from where the hub redirects to, which is sent no token', async () => {
    const files = new Map(
      await Promise.all(PARTS.map(async (name) => [name, await readFile(join(TINY, name))] as const)),
    )
    await using storage = await hubDouble({ name: 'lab/tiny-bert', commit: COMMIT, branches: [], files })
    hub.elsewhere = storage.url
    await store('hf_secret').open({ name: 'lab/tiny-bert' })
    expect(storage.downloads.length).toBeGreaterThan(0)
    expect(storage.authorizations).toEqual(new Set([undefined]))
  })

  it('is fetched by way of the proxy that the environment names', async () => {
    const asked: string[] = []
    const proxy = new Server({
      host: '127.0.0.1',
      port: 0,
      prepareRequestFunction: ({ hostname, port }) => {
        asked.push(`http://${hostname}:${port}`)
        return undefined
      },
    })
    await proxy.listen()
    try {
      const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` }
      await modelStore({ models, hub: { url: hub.url, partBytes: 20_000, env } }).open({ name: 'lab/tiny-bert' })
    } finally {
      await proxy.close(true)
    }
    expect(new Set(asked)).toEqual(new Set([hub.url]))
    expect(asked.length).toBeGreaterThanOrEqual(hub.downloads.length)
  })

  it('is fetched once, and needs no hub afterwards', async () => {
    await store().open({ name: 'lab/tiny-bert' })
    const fetched = hub.downloads.length
    const { name } = await store().open({ name: 'lab/tiny-bert@main' })
    expect(hub.downloads).toHaveLength(fetched)
    await hub[Symbol.asyncDispose]()
    expect((await store().open({ name })).isComplete).toBe(true)
    hub = await hubDouble({ name: 'x', commit: COMMIT, branches: [], files: new Map() })
  })

  it('goes on where a download broke off', async () => {
    hub.breakOff = { path: 'model.safetensors', at: 50_000 }
    await expect(store().open({ name: 'lab/tiny-bert' })).rejects.toThrow(
      /^HUB_UNAVAILABLE: expected the file model.safetensors/,
    )
    expect(await readdir(folder())).not.toContain('config.json')
    const model = await store().open({ name: 'lab/tiny-bert' })
    expect(await model.identity()).toEqual(await identityOf(TINY))
    const ranges = hub.downloads.flatMap((download) => /^model.safetensors (.*)/.exec(download)?.[1] ?? [])
    expect(ranges).toEqual(['0-19999', '20000-39999', '40000-59999', '40000-59999', '60000-79999', '80000-80108'])
  })

  it.each(['model.safetensors', 'tokenizer_config.json'])(
    'is refused where %s is not what the hub lists, and what came is thrown away',
    async (path) => {
      hub.damaged = path
      await expect(store().open({ name: 'lab/tiny-bert' })).rejects.toThrow(
        /^CHECKPOINT_INVALID: expected the file .* with the hash/,
      )
      expect((await readdir(folder())).filter((name) => name.startsWith(path))).toEqual([])
      hub.damaged = undefined
      expect((await store().open({ name: 'lab/tiny-bert' })).isComplete).toBe(true)
    },
  )

  it.each(['lab/other', 'lab/tiny-bert@nowhere'])('that is not there is named: %s', async (name) => {
    await expect(store().open({ name })).rejects.toThrow(
      /^HUB_UNAVAILABLE: expected the revision .* from http:\/\/127.*, got Repository not found\. Check the name/,
    )
  })

  it.each([
    ['that nobody listens at', undefined, /^HUB_UNAVAILABLE: .* from http:\/\/127.*, got nobody who listens there\. /],
    ['without http', 'hub.test', /^CONFIG_INVALID: expected the address of a hub.* got one that does not begin with/],
  ])('says what is wrong with an address %s', async (_, address, message) => {
    const url = address ?? `http://127.0.0.1:${await closedPort()}`
    await expect(modelStore({ models, hub: { url } }).open({ name: 'lab/tiny-bert' })).rejects.toThrow(message)
  })

  it('is not asked for where no hub is set', async () => {
    await expect(modelStore({ models }).open({ name: `lab/tiny-bert@${COMMIT}` })).rejects.toThrow(
      /^CHECKPOINT_INVALID: expected a checkpoint named/,
    )
    expect(hub.downloads).toEqual([])
  })

  it('is refused where the run was made with another one', async () => {
    const expected = { ...(await identityOf(TINY)), tensors: '0'.repeat(64) }
    await expect(store().open({ name: 'lab/tiny-bert', checkpoint: expected })).rejects.toThrow(
      /the tensors of "lab\/tiny-bert@0123/,
    )
  })
})
