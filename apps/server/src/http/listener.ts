import { readFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { FedsvdError } from '@fedsvd/core/errors'
import type { CoordinatorConfig } from '../config.ts'

const TIMEOUTS = { headersTimeout: 15_000, requestTimeout: 600_000 }

/** A server that does not listen yet, and the scheme that it speaks. */
export interface Listener {
  readonly http: Server
  readonly scheme: 'http' | 'https'
}

/**
 * HTTPS where a certificate is given, HTTP otherwise. With an authority for clients, whoever has no certificate signed by it
 * does not get as far as a request.
 *
 * @throws FedsvdError CONFIG_INVALID when a file cannot be read, or the files do not fit together
 */
export async function createListener(
  { tlsCert, tlsKey, tlsClientCa }: Pick<CoordinatorConfig, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>,
  handler: RequestListener,
): Promise<Listener> {
  if (tlsCert === undefined || tlsKey === undefined) {
    if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) {
      return { http: createServer(TIMEOUTS, handler), scheme: 'http' }
    }
    throw unusable('tlsCert and tlsKey together', 'one without the other')
  }
  const [cert, key] = [await pem(tlsCert, 'tlsCert'), await pem(tlsKey, 'tlsKey')]
  const ca = tlsClientCa === undefined ? undefined : await pem(tlsClientCa, 'tlsClientCa')
  const mutual = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  try {
    return {
      http: createTlsServer({ ...TIMEOUTS, cert, key, minVersion: 'TLSv1.2', ...mutual }, handler),
      scheme: 'https',
    }
  } catch (error) {
    throw unusable('a certificate and its own key, PEM', messageOf(error))
  }
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
