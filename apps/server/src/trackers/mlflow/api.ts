import { fetchByEnvironment } from '@fedsvd/engine/network'
import { z } from 'zod'
import { TrackerRefused } from '../tracker.ts'
import { refusalSchema } from './answers.ts'

/** More than any answer that is asked for here. */
const MOST_BYTES = 4 * 2 ** 20
const LONGEST_QUOTE = 200

export interface MlflowAccess {
  /** Address of the tracking server, with a path where it is behind one. */
  readonly url: string
  /** With a token: the user of Basic authentication. */
  readonly user?: string | undefined
  /** Of Bearer authentication, or the password of the user. */
  readonly token?: string | undefined
  /** How long one request may take. */
  readonly timeoutMs: number
}

/** An answer of MLflow that is no success: by its own code, such as RESOURCE_DOES_NOT_EXIST. */
export class MlflowRefusal extends TrackerRefused {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Requests to MLflow, REST API 2.0. A server that answers slowly, too much or not as it should is an error. */
export class MlflowApi {
  readonly #access: MlflowAccess
  readonly #fetch = fetchByEnvironment()

  constructor(access: MlflowAccess) {
    this.#access = access
  }

  /** Under `/api/2.0/mlflow`. @throws MlflowRefusal, or another error where it passes by waiting */
  async post<T>(path: string, body: object, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const headers = { 'content-type': 'application/json' }
    return await this.#call(`mlflow/${path}`, { method: 'POST', headers, body: JSON.stringify(body) }, schema, signal)
  }

  /** As `post`. */
  async get<T>(path: string, query: Record<string, string>, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    return await this.#call(`mlflow/${path}?${new URLSearchParams(query)}`, { method: 'GET' }, schema, signal)
  }

  /**
   * Stores an artifact through the server, which has to run with `--serve-artifacts`. `path` is relative to its root.
   */
  async putArtifact(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const place = path.split('/').map(encodeURIComponent).join('/')
    const init = { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: bytes }
    await this.#call(`mlflow-artifacts/artifacts/${place}`, init, z.unknown(), signal)
  }

  async #call<T>(path: string, init: object, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const { url, timeoutMs } = this.#access
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    const { headers, ...rest } = init as { headers?: Record<string, string> }
    const response = await this.#fetch(`${url.replace(/\/+$/, '')}/api/2.0/${path}`, {
      ...rest,
      headers: { ...headers, ...this.#authorization() },
      // Credentials and figures go where they were meant to go, and nowhere else.
      redirect: 'manual',
      signal: inTime,
    })
    const { status } = response
    const answer = parsed(await textOf(response))
    if (status >= 200 && status < 300) return schema.parse(answer ?? {})
    const { data } = refusalSchema.safeParse(answer)
    const what = `HTTP ${status}${data === undefined ? '' : ` ${data.error_code}: ${data.message ?? ''}`}`
    const message = `${path.split('?')[0]}: ${what.slice(0, LONGEST_QUOTE)}`
    // What MLflow itself says about this request stays so; anything else may be a proxy, a restart or a wrong token.
    const isFinal = data !== undefined && (status === 400 || status === 404)
    throw isFinal ? new MlflowRefusal(data.error_code, message) : new Error(message)
  }

  #authorization(): Record<string, string> {
    const { user, token } = this.#access
    if (token === undefined) return {}
    if (user === undefined) return { authorization: `Bearer ${token}` }
    return { authorization: `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}` }
  }
}

async function textOf({ body }: Response): Promise<string> {
  if (body === null) return ''
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.length
    if (bytes > MOST_BYTES) throw new Error(`an answer of more than ${MOST_BYTES} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}
