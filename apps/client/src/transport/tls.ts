import { readFileSync } from 'node:fs'
import { FedsvdError, systemFault } from '@fedsvd/core/errors'
import type { TlsTrust } from '@fedsvd/engine/network'

/** PEM files. */
export interface TlsFiles {
  /** Authority that signed the certificate of the coordinator; trusted in place of those that the system trusts. */
  readonly ca?: string | undefined
  /** Certificate and key of this site, where the coordinator asks for one. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

/** @throws FedsvdError CONFIG_INVALID when a file cannot be read, or cert and key do not come together */
export function readTls({ ca, cert, key }: TlsFiles): TlsTrust {
  if ((cert === undefined) !== (key === undefined)) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: '--cert and --key together',
      got: cert === undefined ? '--key alone' : '--cert alone',
      remedy: 'Give both or none.',
    })
  }
  return {
    ...(ca !== undefined && { ca: pem(ca, '--ca') }),
    ...(cert !== undefined && { cert: pem(cert, '--cert') }),
    ...(key !== undefined && { key: pem(key, '--key') }),
  }
}

/** Why OpenSSL or Node turned the other side's certificate down, or the other side said that it turned ours down. */
const CERTIFICATE_FAULT =
  /^(DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|CERT_|ERR_TLS_CERT_|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA))/

/** The other side answered in plain text where TLS was to begin. */
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL)$/

/**
 * The fault of a certificate, or of a side without TLS, somewhere in the causes of an error; waiting does not mend it.
 */
export function certificateFault(error: unknown): FedsvdError | undefined {
  let next: unknown = error
  for (let depth = 0; depth < 8 && next instanceof Error; depth += 1) {
    const { code, cause, description } = next as Error & { code?: unknown; description?: unknown }
    if (typeof code === 'string' && CERTIFICATE_FAULT.test(code)) {
      return new FedsvdError('CERTIFICATE_INVALID', {
        expected: 'certificates that both sides trust',
        got: `${next.message.trim().split('\n')[0]} (${code})`,
        remedy: 'Give the authority of the coordinator with --ca, and --cert and --key where it asks for them.',
      })
    }
    if (typeof code === 'string' && NO_TLS.test(code)) return withoutTls(code)
    next = cause ?? description
  }
  return undefined
}

function withoutTls(code: string): FedsvdError {
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: 'TLS at an address that begins with https://',
    got: `an answer without it (${code})`,
    remedy: 'Name the port that speaks TLS, or begin the address with http:// where the coordinator has none.',
  })
}

function pem(file: string, option: string): string {
  const unusable = (got: string): FedsvdError =>
    new FedsvdError('CONFIG_INVALID', {
      expected: `${option} to name a readable PEM file`,
      got: `${got} (${file})`,
      remedy: `Correct ${option}.`,
    })
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw unusable(systemFault(error)?.detail.got ?? String(error))
  }
  if (!content.includes('-----BEGIN ')) throw unusable('a file that is not PEM')
  return content
}
