import { describe, expect, it } from 'vitest'
import { type ProxyEnvironment, proxyFor } from './proxy.ts'

const at = (address: string, env: ProxyEnvironment) => proxyFor(address, env)?.origin

describe('the proxy that the environment names', () => {
  it.each<[string, ProxyEnvironment, string | undefined]>([
    ['https://a.example', {}, undefined],
    ['https://a.example', { HTTPS_PROXY: 'http://p:3128' }, 'http://p:3128'],
    ['https://a.example', { https_proxy: 'http://low:1', HTTPS_PROXY: 'http://up:2' }, 'http://low:1'],
    ['https://a.example', { https_proxy: ' ', HTTPS_PROXY: 'http://up:2' }, 'http://up:2'],
    ['https://a.example', { HTTP_PROXY: 'http://p:3128' }, undefined],
    ['http://a.example', { HTTP_PROXY: 'http://p:3128', HTTPS_PROXY: 'http://q:1' }, 'http://p:3128'],
    ['http://a.example', { HTTPS_PROXY: 'http://p:3128' }, undefined],
    ['http://a.example', { ALL_PROXY: 'http://p:3128' }, 'http://p:3128'],
    ['https://a.example', { HTTPS_PROXY: 'p.example:3128' }, 'http://p.example:3128'],
    ['https://a.example', { HTTPS_PROXY: 'https://p.example' }, 'https://p.example'],
  ])('for %s under %j is %s', (address, env, proxy) => {
    expect(at(address, env)).toBe(proxy)
  })

  it.each([
    ['*', 'https://a.example', true],
    ['a.example', 'https://a.example', true],
    ['A.Example', 'https://a.example', true],
    ['example', 'https://a.example', true],
    ['.example', 'https://a.example', true],
    ['*.example', 'https://a.example', true],
    ['.a.example', 'https://a.example.', true],
    ['ample', 'https://a.example', false],
    ['b.a.example', 'https://a.example', false],
    ['x, a.example', 'https://a.example', true],
    ['x a.example', 'https://a.example', true],
    ['a.example:443', 'https://a.example', true],
    ['a.example:8443', 'https://a.example', false],
    ['a.example:8443', 'https://a.example:8443', true],
    ['a.example:80', 'http://a.example', true],
    ['127.0.0.1', 'http://127.0.0.1:7373', true],
    ['127.0.0.1:7373', 'http://127.0.0.1:7373', true],
    ['127.0.0.1:7374', 'http://127.0.0.1:7373', false],
    ['10.0.0.0/8', 'http://10.200.3.4', true],
    ['10.0.0.0/8', 'http://11.0.0.1', false],
    ['10.0.0.0/99', 'http://10.0.0.1', false],
    ['10.0.0.0/', 'http://11.0.0.1', false],
    ['10.0.0.0/0x0', 'http://11.0.0.1', false],
    ['0.0.1', 'http://10.0.0.1', false],
    ['::1', 'http://[::1]:7373', true],
    ['[::1]:7373', 'http://[::1]:7373', true],
    ['[::1]:1', 'http://[::1]:7373', false],
    ['fd00::/8', 'http://[fd12::1]', true],
    ['10.0.0.0/8', 'http://[fd12::1]', false],
    [', ,', 'https://a.example', false],
  ])('is passed by where NO_PROXY=%s names %s: %s', (noProxy, address, isNamed) => {
    const env = { HTTPS_PROXY: 'http://p:1', HTTP_PROXY: 'http://p:1' }
    for (const name of ['NO_PROXY', 'no_proxy']) {
      expect(at(address, { ...env, [name]: noProxy })).toBe(isNamed ? undefined : 'http://p:1')
    }
  })

  it('is asked with the name and the password of its address, which are shown nowhere', () => {
    const proxy = proxyFor('https://a.example', { HTTPS_PROXY: 'http://site%40h:p%3Aw%@p.example:3128' })!
    expect(proxy.origin).toBe('http://p.example:3128')
    expect(Buffer.from(proxy.authorization!.slice(6), 'base64').toString()).toBe('site@h:p%3Aw%')
  })

  it.each(['socks5://user:geheim@p.example:1080', 'http://user:geheim@', 'http://user:geheim@p:99999'])(
    'is refused where it is no address of an HTTP proxy, without a word of it: %s',
    (value) => {
      const refused = () => proxyFor('https://a.example', { HTTPS_PROXY: value })
      expect(refused).toThrow(/^CONFIG_INVALID: expected HTTPS_PROXY to be the address of an HTTP proxy/)
      expect(refused).not.toThrow(/geheim/)
    },
  )
})
