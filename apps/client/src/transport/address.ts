import { FedsvdError } from '@fedsvd/core/errors'

/**
 * The one spelling of a coordinator's address: scheme, host and port in the form of URLs (lower case, no default port),
 * no dot after the host, and the path prefix under which a reverse proxy serves it, without a slash at its end.
 *
 * @throws FedsvdError CONFIG_INVALID for anything that is no such address; a password in it is not repeated
 */
export function coordinatorAddress(text: string): string {
  if (!/^https?:\/\//i.test(text.trim())) {
    throw invalid('one that does not begin with http:// or https://', 'Write http:// or https:// before it.')
  }
  if (!URL.canParse(text)) {
    throw invalid('one without a host, or with a host or a port that there cannot be', 'Correct the host and the port.')
  }
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') {
    throw invalid('one with a name or a password in it', 'Leave them out: fedsvd proves who it is by itself.')
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalid('one with a ? or a # in it', 'Leave out what stands behind the path.')
  }
  url.hostname = url.hostname.replace(/\.$/, '')
  return url.origin + url.pathname.replace(/\/{2,}/g, '/').replace(/\/$/, '')
}

/**
 * A path of the protocol at a coordinator, below its prefix. @param coordinator as {@link coordinatorAddress} spells it
 */
export function endpoint(coordinator: string, path: `/${string}`): URL {
  return new URL(coordinator + path)
}

/**
 * What tells coordinators apart that an address leads to: this machine has one name, whichever of its names is used.
 */
export function coordinatorKey(address: string): string {
  return coordinatorAddress(address).replace(/^(https?:\/\/)(?:127\.0\.0\.1|\[::1\])(?=[:/]|$)/, '$1localhost')
}

function invalid(got: string, remedy: string): FedsvdError {
  const expected = 'the address of a coordinator, such as https://fedsvd.example:7373 or https://example/fedsvd'
  return new FedsvdError('CONFIG_INVALID', { expected, got, remedy })
}
