import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeFolder } from './make-folder.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'fedsvd-folder-'))
})
afterEach(() => rmSync(base, { recursive: true }))

it('makes what is missing, for its owner only, and says what it made first', () => {
  expect(makeFolder(join(base, 'a/b/c'))).toBe(join(base, 'a'))
  expect(statSync(join(base, 'a/b/c')).mode & 0o077).toBe(0)
  expect(makeFolder(join(base, 'a/b/c'))).toBeUndefined()
})

it('is refused below a file', () => {
  writeFileSync(join(base, 'file'), '')
  expect(() => makeFolder(join(base, 'file/x'))).toThrow(/ENOTDIR/)
  expect(() => makeFolder(join(base, 'file'))).toThrow(/ENOTDIR/)
})

it.runIf(existsSync('/proc/self'))('comes back where no folder can be made', () => {
  expect(() => makeFolder('/proc/fedsvd/state')).toThrow(/ENOENT|EACCES/)
})
