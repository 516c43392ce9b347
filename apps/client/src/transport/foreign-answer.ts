import { FedsvdError } from '@fedsvd/core/errors'
import { type AnswerInError, answerIn } from '@fedsvd/engine/network'
import type { Route } from './route.ts'

const LONGEST_SHOWN = 200

type Way = Pick<Route, 'coordinator' | 'proxy'>

/** An answer that came from something else than the coordinator: a proxy, a filter, a login page, another server. */
export interface ForeignAnswer {
  readonly status: number
  readonly headers: Headers
  /** Bytes of the request's body. */
  readonly sentBytes?: number | undefined
  /** Who gave it, where that is known for certain. */
  readonly by?: AnswerInError['by'] | undefined
}

/**
 * What such an answer means and who can change it: COORDINATOR_UNREACHABLE. Its text is not repeated, its address is.
 */
export function foreignAnswer(way: Way, { status, headers, sentBytes = 0, by }: ForeignAnswer): FedsvdError {
  const { got, remedy } = status === 407 && by === 'address' ? own407(way) : meaningOf(way, status, headers, sentBytes)
  const expected = `an answer of the coordinator at ${way.coordinator} itself`
  return new FedsvdError('COORDINATOR_UNREACHABLE', { expected, got, remedy })
}

/**
 * An answer somewhere in the causes of an error: of the forward proxy on the way, or a 407; undefined for every other
 * error.
 */
export function answerInError(error: unknown): ForeignAnswer | undefined {
  const answer = answerIn(error)
  return answer && { ...answer, headers: new Headers() }
}

/** No forward proxy said so, and none that the environment names is to be told a password because of it. */
function own407({ coordinator }: Way): Meaning {
  return {
    got: `HTTP status 407 of what answers at ${coordinator} itself, as only a proxy does that is asked to forward`,
    remedy: 'Check the address and its port; give no name and no password for this.',
  }
}

/** What to look at where nobody answers by way of a proxy; undefined without one, where nothing more is known. */
export function noAnswer({ coordinator, proxy }: Way): FedsvdError | undefined {
  if (proxy === undefined) return undefined
  return new FedsvdError('COORDINATOR_UNREACHABLE', {
    expected: `a coordinator at ${coordinator}`,
    got: `no answer by way of the proxy ${proxy.origin}`,
    remedy: 'Check HTTPS_PROXY (HTTP_PROXY for http://), and that the proxy reaches it; this client keeps trying.',
  })
}

/** True where waiting alone may bring the coordinator's own answer. */
export function isPassingStatus(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 511)
}

interface Meaning {
  readonly got: string
  readonly remedy: string
}

function meaningOf({ coordinator, proxy }: Way, status: number, headers: Headers, sentBytes: number): Meaning {
  const by = proxy === undefined ? '' : ` by way of the proxy ${proxy.origin}`
  const http = `HTTP status ${status}${by}`
  const { host } = new URL(coordinator)
  if (status >= 300 && status < 400) return redirect(coordinator, headers.get('location'))
  if (status === 511 || (status >= 200 && status < 300)) {
    return {
      got: `${isPage(headers) ? 'a web page' : 'no JSON'} (${http}), as a login page of a network or another server sends`,
      remedy: `Check the address and its path, or have ${host} let through without signing in to the network.`,
    }
  }
  switch (status) {
    case 400:
      if (coordinator.startsWith('https:')) break
      return {
        got: `${http}, as a port that speaks TLS answers to plain HTTP`,
        remedy: 'Begin the address with https:// if that port speaks TLS; else check what is in between.',
      }
    case 401:
      return {
        got: `${http}: something in front of it asks for a name and a password`,
        remedy: `Have ${host} let through without: clients and operators of fedsvd prove who they are by themselves.`,
      }
    case 403:
      return {
        got: `${http}: a proxy or a filter does not let this through`,
        remedy: `Ask who runs the network to allow ${host}.`,
      }
    case 404:
    case 405:
      return {
        got: `${http} of a server that is no coordinator`,
        remedy:
          'Check the path of the address: behind a reverse proxy it is the prefix under which that serves fedsvd.',
      }
    case 407:
      return {
        got: `HTTP status 407: the proxy ${proxy?.origin ?? 'on the way'} wants a name and a password`,
        remedy: 'Put them into the address: HTTPS_PROXY=http://name:password@host:port (HTTP_PROXY for http://).',
      }
    case 413:
      return {
        got: `${http}: a proxy takes no body of ${sentBytes} bytes`,
        remedy: `Whoever runs the proxy raises its limit (nginx: client_max_body_size) above ${sentBytes} bytes.`,
      }
    case 502:
    case 503:
    case 504:
      return {
        got: `${http}: a proxy does not reach it`,
        remedy: 'Whoever runs the proxy checks that the coordinator runs, and where the proxy looks for it.',
      }
  }
  return { got: `${http} without an error of the catalogue`, remedy: 'Check the address and what is in between.' }
}

/**
 * A coordinator answers at its own address: what is sent to it (a token, a signature, an update) is carried to no
 * other.
 */
function redirect(coordinator: string, location: string | null): Meaning {
  const target = location !== null && URL.canParse(location, coordinator) ? new URL(location, coordinator) : undefined
  if (target !== undefined) target.username = target.password = ''
  return {
    got: `a redirect to ${target?.href.slice(0, LONGEST_SHOWN) ?? 'another address'}`,
    remedy: 'Nothing was sent there. If you trust that address, give it as the address of the coordinator.',
  }
}

function isPage(headers: Headers): boolean {
  return headers.get('content-type')?.includes('html') ?? false
}
