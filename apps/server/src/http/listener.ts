import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CoordinatorConfig } from '../config.ts'

type Times = Pick<CoordinatorConfig, 'headersSeconds' | 'requestSeconds' | 'idleSeconds'>
type Tls = Pick<CoordinatorConfig, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>

/** A server that does not listen yet, and the scheme that it speaks. */
export interface Listener {
  readonly http: Server
  readonly scheme: 'http' | 'https'
}

/**
 * HTTPS where a certificate is given, HTTP otherwise. With an authority for clients, whoever has no certificate signed by it
 * does not get as far as a request. Whoever sends slowly, or not at all, is cut off.
 *
 * @throws FedsvdError CONFIG_INVALID when a file cannot be read, or the files do not fit together
 */
export async function createListener(
  { tlsCert, tlsKey, tlsClientCa, ...times }: Tls & Times,
  handler: RequestListener,
): Promise<Listener> {
  const limits = limitsOf(times)
  if (tlsCert === undefined || tlsKey === undefined) {
    if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) {
      return { http: impatient(createServer(limits, handler), times), scheme: 'http' }
    }
    throw unusable('tlsCert and tlsKey together', 'one without the other')
  }
  const [cert, key] = [await pem(tlsCert, 'tlsCert'), await pem(tlsKey, 'tlsKey')]
  const ca = tlsClientCa === undefined ? undefined : await pem(tlsClientCa, 'tlsClientCa')
  const mutual = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  try {
    const http = createTlsServer({ ...limits, cert, key, minVersion: 'TLSv1.2', ...mutual }, handler)
    return { http: impatient(http, times), scheme: 'https' }
  } catch (error) {
    throw unusable('a certificate and its own key, PEM', messageOf(error))
  }
}

/** Node looks for late requests only so often, so that it has to look as often as the shortest time asks for. */
function limitsOf({ headersSeconds, requestSeconds }: Times) {
  const [headersTimeout, requestTimeout] = [1000 * Math.min(headersSeconds, requestSeconds), 1000 * requestSeconds]
  return { headersTimeout, requestTimeout, connectionsCheckingInterval: Math.min(5000, headersTimeout / 2) }
}

/** Ends connections on which nothing moves, in either direction; WebSockets have their own heartbeat. */
function impatient<T extends Server>(http: T, { idleSeconds }: Times): T {
  http.timeout = 1000 * idleSeconds
  return http
}

async function pem(file: string, setting: string): Promise<Buffer> {
  try {
    const content = await readFile(file)
    if (!content.includes('-----BEGIN ')) throw new Error(`${file} is not PEM`)
    return content
  } catch (error) {
    throw unusable(`${setting} to name a readable PEM file`, messageOf(error))
  }
}

function unusable(expected: string, got: string): FedsvdError {
  const remedy = 'Correct --tls-cert, --tls-key or --tls-client-ca.'
  return new FedsvdError('CONFIG_INVALID', { expected, got, remedy })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
