import { AwsClient } from 'aws4fetch'
import { storageUnavailable } from './faults.ts'

/** Where the objects are, and who asks for them. */
export interface S3Settings {
  /** Address of the service, such as `https://s3.eu-central-1.amazonaws.com` or `http://127.0.0.1:9000`. */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  /** Stands before every name; empty, or without a slash at either end. */
  readonly prefix: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

export interface S3Object {
  readonly key: string
  readonly bytes: number
  readonly writtenAt: number
}

export interface S3Body {
  readonly sha256: string
  readonly bytes: number
  readonly content: AsyncIterable<Uint8Array>
}

const REQUEST_TIMEOUT_MS = 60_000
const TRANSFER_TIMEOUT_MS = 600_000

/** The four requests that a store of objects needs, with addresses in path style, signed with Signature Version 4. */
export class S3Client {
  readonly #signer: AwsClient
  readonly #base: string
  readonly #prefix: string

  constructor({ endpoint, bucket, prefix, ...access }: S3Settings) {
    const { accessKeyId, secretAccessKey, sessionToken, region } = access
    const session = sessionToken === undefined ? {} : { sessionToken }
    this.#signer = new AwsClient({ accessKeyId, secretAccessKey, ...session, region, service: 's3', retries: 0 })
    this.#base = `${endpoint.replace(/\/+$/, '')}/${bucket}`
    this.#prefix = prefix === '' ? '' : `${prefix}/`
  }

  /** The signature covers the hash of the body, so that no other bytes can be stored under this key. */
  async put(key: string, { sha256, bytes, content }: S3Body): Promise<void> {
    const headers = {
      'x-amz-content-sha256': sha256,
      'content-length': String(bytes),
      'content-type': 'application/octet-stream',
    }
    const body = content as unknown as NonNullable<RequestInit['body']>
    await this.#send(this.#urlOf(key), { method: 'PUT', headers, body }, TRANSFER_TIMEOUT_MS)
  }

  /** Undefined when there is no such object. */
  async get(key: string): Promise<Response | undefined> {
    const response = await this.#send(this.#urlOf(key), { method: 'GET' }, TRANSFER_TIMEOUT_MS, 404)
    if (response.status !== 404) return response
    const fault = faultIn(await response.text())
    if (fault === undefined || fault.startsWith('NoSuchKey')) return undefined
    throw storageUnavailable(fault)
  }

  async remove(key: string): Promise<void> {
    await this.#send(this.#urlOf(key), { method: 'DELETE' }, REQUEST_TIMEOUT_MS)
  }

  /** Keys in order, without the prefix. */
  async *list(): AsyncIterable<S3Object> {
    for (let after = ''; ; ) {
      const url = new URL(this.#base)
      url.searchParams.set('list-type', '2')
      if (this.#prefix !== '') url.searchParams.set('prefix', this.#prefix)
      if (after !== '') url.searchParams.set('start-after', after)
      const page = await (await this.#send(url, { method: 'GET' }, REQUEST_TIMEOUT_MS)).text()
      for (const [, entry] of page.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
        after = plain(tag(entry!, 'Key'))
        const writtenAt = Date.parse(tag(entry!, 'LastModified'))
        yield { key: after.slice(this.#prefix.length), bytes: Number(tag(entry!, 'Size')), writtenAt }
      }
      if (tag(page, 'IsTruncated') !== 'true') return
    }
  }

  #urlOf(key: string): URL {
    return new URL(`${this.#base}/${this.#prefix}${key}`)
  }

  async #send(url: URL, init: RequestInit, timeoutMs: number, allowed?: number): Promise<Response> {
    const signal = AbortSignal.timeout(timeoutMs)
    let response: Response
    try {
      response = await this.#signer.fetch(url.href, { ...init, signal, redirect: 'manual' })
    } catch (error) {
      throw storageUnavailable(`no answer: ${reasonOf(error)}`, error)
    }
    if (response.ok || response.status === allowed) return response
    const text = await response.text().catch(() => '')
    throw storageUnavailable(`status ${response.status} ${faultIn(text) ?? ''}`.trim())
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: unknown }; message?: string }
  return typeof cause?.code === 'string' ? cause.code : (message ?? String(error)).slice(0, 200)
}

/** Code and message of the error document that the service answers with. */
function faultIn(document: string): string | undefined {
  const code = tag(document, 'Code')
  return code === '' ? undefined : `${code}: ${plain(tag(document, 'Message'))}`.slice(0, 300)
}

function tag(document: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(document)?.[1] ?? ''
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name]!)
}
