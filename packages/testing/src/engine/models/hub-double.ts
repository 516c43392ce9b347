import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A repository of the double: its files at one commit, and the branches that lead there. */
export interface DoubleRepository {
  readonly name: string
  readonly commit: string
  readonly branches: readonly string[]
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** A hub on loopback that speaks as much of Hugging Face's protocol as fetching a model takes. */
export interface HubDouble extends AsyncDisposable {
  readonly url: string
  /** Path and byte range of every download so far, such as `model.safetensors 4-9`. */
  readonly downloads: string[]
  /** Authorization headers of all requests. */
  readonly authorizations: Set<string | undefined>
  /** The download of this file that reaches this byte breaks off, once. */
  breakOff: { readonly path: string; readonly at: number } | undefined
  /** Sends other bytes for this file than the hub lists. */
  damaged: string | undefined
  /** Address of a server that downloads are redirected to. */
  elsewhere: string | undefined
}

/** Files from this size on are stored as large ones: known by their SHA-256. */
const LARGE = 1000

export async function hubDouble(repository: DoubleRepository): Promise<HubDouble> {
  const { name, commit, branches, files } = repository
  const server = createServer((request, response) => answer(request, response))
  const hub = {
    url: '',
    downloads: [] as string[],
    authorizations: new Set<string | undefined>(),
    breakOff: undefined as HubDouble['breakOff'],
    damaged: undefined as string | undefined,
    elsewhere: undefined as string | undefined,
  }

  function answer({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    hub.authorizations.add(headers.authorization)
    const path = decodeURIComponent(url.split('?')[0]!)
    const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
    const revision = path.startsWith(`/api/models/${name}/revision/`) ? path.split('/').at(-1)! : undefined
    if (revision !== undefined && (revision === commit || branches.includes(revision))) {
      json({ _id: '1', id: name, sha: commit, lastModified: '2026-01-01T00:00:00Z', likes: 0, downloads: 0 })
      return
    }
    if (path === `/api/models/${name}/tree/${commit}`) {
      json([...files].map(([file, bytes]) => entryOf(file, bytes)))
      return
    }
    const file = path.startsWith(`/${name}/resolve/${commit}/`) ? path.split(`${commit}/`)[1]! : ''
    const bytes = files.get(file)
    if (bytes === undefined) {
      response.statusCode = 404
      response.setHeader('x-error-code', 'RepoNotFound')
      json({ error: 'Repository not found' })
      return
    }
    if (hub.elsewhere !== undefined) {
      response.writeHead(302, { location: `${hub.elsewhere}${url}` }).end()
      return
    }
    send(response, file, bytes, headers.range)
  }

  function send(response: ServerResponse, file: string, bytes: Uint8Array, range: string | undefined): void {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
    const start = Number(from ?? 0)
    const end = to ? Math.min(Number(to), bytes.length - 1) : bytes.length - 1
    const isProbe = start === 0 && end === 0 && bytes.length > 1
    if (!isProbe) hub.downloads.push(`${file} ${start}-${end}`)
    response.statusCode = range === undefined ? 200 : 206
    response.setHeader('etag', `"${createHash('sha256').update(bytes).digest('hex')}"`)
    response.setHeader('content-range', `bytes ${start}-${end}/${bytes.length}`)
    response.setHeader('content-length', end + 1 - start)
    const part = Buffer.from(bytes.subarray(start, end + 1))
    if (hub.damaged === file && part.length > 0) part[part.length - 1]! ^= 1
    const cut = hub.breakOff
    if (!isProbe && cut?.path === file && start <= cut.at && cut.at <= end) {
      hub.breakOff = undefined
      response.write(part.subarray(0, cut.at - start), () => response.destroy())
      return
    }
    response.end(part)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(hub, {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  })
}

function entryOf(path: string, bytes: Uint8Array) {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
  const entry = { type: 'file', path, size: bytes.length, oid }
  if (bytes.length < LARGE) return entry
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { ...entry, lfs: { oid: sha256, size: bytes.length, pointerSize: 134 } }
}
