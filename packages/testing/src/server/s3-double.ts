import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A store on loopback that speaks what is needed of S3: addresses in path style, ListObjectsV2, Signature Version 4.
 */
export interface S3Double extends AsyncDisposable {
  readonly endpoint: string
  readonly objects: Map<string, { bytes: Uint8Array; writtenAt: number }>
  /** What was refused, for tests that expect none. */
  readonly refusals: string[]
  /** Answers every request with this status and code from now on; undefined mends it. */
  fail(fault: { readonly status: number; readonly code: string } | undefined): void
}

export const S3_KEYS = { accessKeyId: 'AKIATESTDOUBLE', secretAccessKey: 'secret/of+the=double' }
export const S3_BUCKET = 'tensors'
const REGION = 'eu-test-1'
/** Small, so that tests meet more than one page. */
const PAGE = 2

export async function s3Double(): Promise<S3Double> {
  const objects: S3Double['objects'] = new Map()
  const refusals: string[] = []
  let fault: { status: number; code: string } | undefined
  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => response.destroy(error as Error))
  })

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    if (fault !== undefined) return refuse(response, fault.status, fault.code)
    const reason = signatureFault(request, body)
    if (reason !== undefined) {
      refusals.push(reason)
      return refuse(response, 403, reason)
    }
    const { pathname, searchParams } = new URL(request.url!, 'http://double')
    const [, bucket, ...rest] = pathname.split('/')
    if (bucket !== S3_BUCKET) return refuse(response, 404, 'NoSuchBucket')
    const key = rest.join('/')
    if (request.method === 'GET' && key === '') return listed(response, searchParams)
    if (request.method === 'PUT') {
      if (request.headers['content-length'] === undefined) return refuse(response, 411, 'MissingContentLength')
      objects.set(key, { bytes: body, writtenAt: Date.now() })
      return void response.writeHead(200).end()
    }
    if (request.method === 'DELETE') {
      objects.delete(key)
      return void response.writeHead(204).end()
    }
    const found = objects.get(key)
    if (found === undefined) return refuse(response, 404, 'NoSuchKey')
    response.writeHead(200, { 'content-length': found.bytes.length }).end(found.bytes)
  }

  function listed(response: ServerResponse, query: URLSearchParams): void {
    const [prefix, after] = [query.get('prefix') ?? '', query.get('start-after') ?? '']
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const contents = keys.slice(0, PAGE).map((key) => {
      const { bytes, writtenAt } = objects.get(key)!
      const modified = new Date(writtenAt).toISOString()
      return `<Contents><Key>${key}</Key><LastModified>${modified}</LastModified><Size>${bytes.length}</Size></Contents>`
    })
    const isTruncated = keys.length > PAGE
    response.end(
      `<?xml version="1.0"?><ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${contents.join('')}</ListBucketResult>`,
    )
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    refusals,
    fail(next) {
      fault = next
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export const S3_REGION = REGION

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(`<Error><Code>${code}</Code><Message>refused &amp; closed</Message></Error>`)
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) chunks.push(chunk as Uint8Array)
  return new Uint8Array(Buffer.concat(chunks))
}

/**
 * Verifies a request as the service does, from the specification of Signature Version 4 and with nothing of the
 * client's code: from the raw request line and headers, and from the bytes that came.
 */
function signatureFault(request: IncomingMessage, body: Uint8Array): string | undefined {
  const [, credential, signed, signature] =
    /^AWS4-HMAC-SHA256 Credential=(\S+), ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    ) ?? []
  if (credential === undefined) return 'AccessDenied'
  const [keyId, ...scope] = credential.split('/')
  const date = request.headers['x-amz-date'] as string | undefined
  if (keyId !== S3_KEYS.accessKeyId) return 'InvalidAccessKeyId'
  if (date === undefined || scope.join('/') !== `${date.slice(0, 8)}/${REGION}/s3/aws4_request`)
    return 'AuthorizationHeaderMalformed'
  const age = Date.now() - Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (Math.abs(age) > 15 * 60_000) return 'RequestTimeTooSkewed'
  const names = signed!.split(';')
  if (!names.includes('host') || !names.includes('x-amz-content-sha256')) return 'AccessDenied'
  const claimed = request.headers['x-amz-content-sha256'] as string
  if (claimed !== 'UNSIGNED-PAYLOAD' && claimed !== sha(body)) return 'XAmzContentSHA256Mismatch'
  const [path, query = ''] = request.url!.split('?') as [string, string?]
  const canonical = [
    request.method!,
    path,
    query.split('&').filter(Boolean).sort().join('&'),
    ...names.map((name) => `${name}:${String(request.headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    signed!,
    claimed,
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', date, scope.join('/'), sha(Buffer.from(canonical))].join('\n')
  const key = scope.reduce<string | Buffer>((secret, part) => mac(secret, part), `AWS4${S3_KEYS.secretAccessKey}`)
  const isSame = timingSafeEqual(mac(key, text), Buffer.from(signature!, 'hex'))
  return isSame ? undefined : 'SignatureDoesNotMatch'
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const mac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
