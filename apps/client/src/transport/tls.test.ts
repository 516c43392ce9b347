import { expect, it } from 'vitest'
import { certificateFault } from './tls.ts'

const inside = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error('inside'), { code }) })

it('tells a side without TLS from a certificate that is not trusted, and both from no answer', () => {
  expect(certificateFault(inside('ERR_SSL_WRONG_VERSION_NUMBER'))?.message).toMatch(
    /COORDINATOR_UNREACHABLE: expected TLS .* got an answer without it .*begin the address with http:/,
  )
  expect(certificateFault(inside('SELF_SIGNED_CERT_IN_CHAIN'))?.code).toBe('CERTIFICATE_INVALID')
  expect(certificateFault(inside('ECONNREFUSED'))).toBeUndefined()
})
