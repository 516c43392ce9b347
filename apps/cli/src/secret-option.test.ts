import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { secretOf } from './secret-option.ts'

const TOKEN = { flag: '--token', env: 'FEDSVD_TEST_TOKEN', what: 'token of the test' }

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-secret-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})
const inFile = (content: string): string | undefined => {
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, content)
  return secretOf({ tokenFile }, TOKEN)
}

describe('a secret', () => {
  it('comes from a file or the environment, without the line break behind it', () => {
    expect(inFile('s3cret \n')).toBe('s3cret')
    vi.stubEnv('FEDSVD_TEST_TOKEN', 'other\n')
    expect(secretOf({}, TOKEN)).toBe('other')
  })

  it.each([
    [
      'several lines, as of another file',
      'private row\nprivate row\n',
      /one line of ASCII characters, got several lines/,
    ],
    ['characters that no token has', 'sécret', /got other characters/],
  ])('of %s is refused, and none of it is shown', (_, content, told) => {
    expect(() => inFile(content)).toThrow(told)
    expect(() => inFile(content)).toThrow(/^(?!.*(private|cret)).*Correct what --token-file or FEDSVD_TEST_TOKEN/s)
  })
})
