import { describe, expect, it } from 'vitest'
import { coordinatorAddress } from './address.ts'

describe('the address of a coordinator', () => {
  it.each([
    ['HTTPS://Fedsvd.Example.:443/', 'https://fedsvd.example'],
    ['http://[::1]:7373', 'http://[::1]:7373'],
    ['https://example.org//fedsvd//', 'https://example.org/fedsvd'],
  ])('%s has one spelling', (text, address) => {
    expect(coordinatorAddress(text)).toBe(address)
  })

  it.each([
    ['127.0.0.1:7373', /does not begin with http:\/\//],
    ['ftp://example.org', /does not begin with http:\/\//],
    ['http://', /without a host/],
    ['http://127.0.0.1:99999', /a host or a port that there cannot be/],
    ['https://[::1', /a host or a port that there cannot be/],
    ['https://user:geheim@example.org', /with a name or a password in it/],
    ['https://example.org/?a=b', /with a \? or a # in it/],
  ])('%s is refused by what is wrong with it', (text, message) => {
    expect(() => coordinatorAddress(text)).toThrow(message)
    expect(() => coordinatorAddress(text)).not.toThrow(/geheim/)
  })
})
