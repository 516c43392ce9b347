import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { ERROR_CATALOGUE, FedsvdError, isFedsvdError } from '@fedsvd/core/errors'
import type { ModelInUse } from '@fedsvd/engine/inference'
import { infoOf, routesOf } from './api.ts'
import { readBody, TooLarge } from './read-body.ts'
import { REQUEST_LIMITS } from './requests.ts'
import { type WorkQueue, workQueue } from './work-queue.ts'

export interface ModelServerOptions {
  readonly model: ModelInUse
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** What every request but GET /health must bring as a bearer token; absent: nothing. */
  readonly token?: string | undefined
  /** For a whole request: its body and its answer. */
  readonly seconds: number
  /** Requests that may wait while one is answered. */
  readonly mostWaiting: number
}

export interface ModelServer extends AsyncDisposable {
  readonly url: string
}

/** Connections at a time, so that idle ones cost little. */
const MOST_CONNECTIONS = 256

/** Answers under way have so long when the server is told to stop. */
const STOPPING_MS = 5000

/**
 * Serves a model over HTTP in the shape of common inference servers. Nothing of a request is logged or kept.
 *
 * @throws FedsvdError PORT_IN_USE, CONFIG_INVALID
 */
export async function startModelServer(options: ModelServerOptions): Promise<ModelServer> {
  const { host, port, seconds, mostWaiting } = options
  const queue = workQueue({ mostWaiting, milliseconds: 1000 * seconds })
  const routes = routesOf(options.model)
  const http = createServer(
    {
      requestTimeout: 1000 * seconds,
      headersTimeout: Math.min(10_000, 1000 * seconds),
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16_384,
    },
    (request, response) => {
      void answer(request, response, { options, queue, routes })
    },
  )
  http.maxConnections = MOST_CONNECTIONS
  await listen(http, host, port)
  const { port: taken } = http.address() as AddressInfo
  return {
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${taken}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => http.close(resolve))
      http.closeIdleConnections()
      await Promise.race([queue.close(), new Promise((resolve) => setTimeout(resolve, STOPPING_MS).unref())])
      http.closeAllConnections()
      await closed
    },
  }
}

interface Parts {
  readonly options: ModelServerOptions
  readonly queue: WorkQueue
  readonly routes: ReturnType<typeof routesOf>
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort(new Error('the connection was closed')))
  try {
    send(response, 200, await contentOf(request, parts, gone.signal))
  } catch (error) {
    if (gone.signal.aborted) return
    const known = isFedsvdError(error) ? error : unexpected()
    const status = error instanceof TooLarge ? 413 : ERROR_CATALOGUE[known.code].status
    send(response, status, { error: known.message, error_type: known.code })
  }
}

async function contentOf(request: IncomingMessage, { options, queue, routes }: Parts, gone: AbortSignal) {
  const { model, host, token } = options
  requireHost(request, host)
  const path = (request.url ?? '').split('?', 1)[0]!
  if (request.method === 'GET' && path === '/health') return { status: 'ok' }
  if (token !== undefined) requireToken(request, token)
  if (request.method === 'GET' && path === '/info') return infoOf(model)
  const handler = request.method === 'POST' && Object.hasOwn(routes, path) ? routes[path] : undefined
  if (handler === undefined) throw noRoute(request, routes)
  const body = await readBody(request, REQUEST_LIMITS.bytes)
  return await queue.ask((signal) => handler(body, signal), gone)
}

/**
 * A page of a browser may reach a loopback address by a name of its own (DNS rebinding): there, only the names of this
 * machine are answered.
 */
function requireHost({ headers }: IncomingMessage, host: string): void {
  if (!isLoopback(host)) return
  const named = (headers.host ?? '').toLowerCase().replace(/:\d*$/, '')
  if (isLoopback(named.replace(/^\[(.*)\]$/, '$1'))) return
  throw new FedsvdError('FORBIDDEN', {
    expected: 'a Host of this machine, such as localhost',
    got: JSON.stringify(named.slice(0, 100)),
    remedy: 'Ask for it by its loopback address, or listen on another one with --host and a token.',
  })
}

/** Whether an address, or the name of one, is this machine's own and nobody else's. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function requireToken({ headers }: IncomingMessage, token: string): void {
  const given = Buffer.from(/^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? '')
  const wanted = Buffer.from(token)
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return
  throw new FedsvdError('TOKEN_INVALID', {
    expected: 'the token of this server, as a bearer token',
    got: given.length === 0 ? 'a request without one' : 'another token',
    remedy: 'Send the header "authorization: Bearer TOKEN".',
  })
}

function noRoute({ method = '', url = '' }: IncomingMessage, routes: Parts['routes']): FedsvdError {
  const posts = Object.keys(routes).map((path) => `POST ${path}`)
  return new FedsvdError('ROUTE_NOT_FOUND', {
    expected: `GET /health, GET /info or ${posts.join(' or ')}`,
    got: `${method} ${url.slice(0, 100)}`,
    remedy: 'See docs/how-to/use-the-model.md.',
  })
}

function send(response: ServerResponse, status: number, content: unknown): void {
  if (response.destroyed) return
  const text = JSON.stringify(content)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 503 && { 'retry-after': '1' }),
    ...(status >= 400 && { connection: 'close' }),
  })
  response.end(text)
}

/** What went wrong inside says nothing about the text that it went wrong with. */
function unexpected(): FedsvdError {
  return new FedsvdError('UNEXPECTED', {
    expected: 'an answer of the model',
    got: 'a fault inside the server',
    remedy: 'Try the text with fedsvd predict, which says more.',
  })
}

async function listen(http: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)))
    http.listen(port, host, () => resolve())
  })
}

function cannotListen({ code, message }: NodeJS.ErrnoException, host: string, port: number): FedsvdError {
  const isTaken = code === 'EADDRINUSE'
  return new FedsvdError(isTaken ? 'PORT_IN_USE' : 'CONFIG_INVALID', {
    expected: `${host}:${port} to be ${isTaken ? 'free' : 'an address of this machine that it may listen on'}`,
    got: isTaken ? 'another process that listens there' : message,
    remedy: 'Choose another one with --host and --port (0 takes a free port).',
  })
}
