import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { exposure } from './exposure.ts'

it.skipIf(process.platform === 'win32')(
  'tells the rights of a folder that more people than its owner may enter',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'fedsvd-exposure-'))
    try {
      expect(exposure(folder)).toBeUndefined()
      for (const rights of [0o755, 0o750, 0o770, 0o701, 0o720]) {
        chmodSync(folder, rights)
        expect(exposure(folder)).toBe(rights.toString(8))
      }
      expect(exposure(join(folder, 'none'))).toBeUndefined()
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
)
