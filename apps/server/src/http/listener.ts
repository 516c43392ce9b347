import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import { type CoordinatorConfig, type NameOfSetting, nameOfVariable } from '../config.ts'

type Times = Pick<CoordinatorConfig, 'headersSeconds' | 'requestSeconds' | 'idleSeconds'>
type Tls = Pick<CoordinatorConfig, 'tlsCert' | 'tlsKey' | 'tlsClientCa'>

/** An HTTP server without a port or a request handler yet, and the scheme that it speaks. */
export interface Listener {
  readonly http: Server
  readonly scheme: 'http' | 'https'
}

/**
 * HTTPS where a certificate is given, HTTP otherwise. With an authority for clients, a connection without a
 * certificate signed by it is refused in the TLS handshake. Connections that send too slowly, or not at all, are
 * closed.
 *
 * @param nameOf what the person who reads a fault calls the settings
 * @throws FedsvdError CONFIG_INVALID when a file cannot be read, or the files do not fit together
 */
export async function createListener(
  { tlsCert, tlsKey, tlsClientCa, ...times }: Tls & Times,
  nameOf: NameOfSetting = nameOfVariable,
): Promise<Listener> {
  const limits = limitsOf(times)
  if (tlsCert === undefined || tlsKey === undefined) {
    if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) {
      return { http: impatient(createServer(limits), times), scheme: 'http' }
    }
    const given = tlsCert ?? tlsKey
    const lacking = [tlsCert ?? nameOf('tlsCert'), tlsKey ?? nameOf('tlsKey')].filter((name) => name !== given)
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `${nameOf('tlsCert')} and ${nameOf('tlsKey')} together`,
      got: given === undefined ? `${nameOf('tlsClientCa')} without them` : 'one without the other',
      remedy: `Give ${lacking.join(' and ')} too, or leave HTTPS out.`,
    })
  }
  const [cert, key] = [await pem(tlsCert, nameOf('tlsCert')), await pem(tlsKey, nameOf('tlsKey'))]
  const ca = tlsClientCa === undefined ? undefined : await pem(tlsClientCa, nameOf('tlsClientCa'))
  const mutual = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }
  try {
    const http = createTlsServer({ ...limits, cert, key, minVersion: 'TLSv1.2', ...mutual })
    return { http: impatient(http, times), scheme: 'https' }
  } catch (error) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a certificate in ${tlsCert} and its own key in ${tlsKey}, PEM and without a passphrase`,
      got: messageOf(error),
      remedy: `Correct ${nameOf('tlsCert')} or ${nameOf('tlsKey')}.`,
    })
  }
}

/** Node looks for late requests only so often, so that it has to look as often as the shortest time asks for. */
function limitsOf({ headersSeconds, requestSeconds }: Times) {
  const [headersTimeout, requestTimeout] = [1000 * Math.min(headersSeconds, requestSeconds), 1000 * requestSeconds]
  return { headersTimeout, requestTimeout, connectionsCheckingInterval: Math.min(5000, headersTimeout / 2) }
}

/** Closes connections that are idle in both directions; WebSockets have a heartbeat of their own. */
function impatient<T extends Server>(http: T, { idleSeconds }: Times): T {
  http.timeout = 1000 * idleSeconds
  return http
}

async function pem(file: string, setting: string): Promise<Buffer> {
  const unusable = (got: string): FedsvdError =>
    new FedsvdError('CONFIG_INVALID', {
      expected: `${setting} to name a readable PEM file`,
      got: `${got} (${file})`,
      remedy: `Correct ${setting}.`,
    })
  const content = await readFile(file).catch((error: unknown) => {
    throw unusable(systemFault(error)?.detail.got ?? messageOf(error))
  })
  if (!content.includes('-----BEGIN ')) throw unusable('a file that is not PEM')
  return content
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
