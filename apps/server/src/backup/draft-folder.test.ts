import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fillFolder } from './draft-folder.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(path.join(tmpdir(), 'fedsvd-draft-'))
})
afterEach(() => rmSync(base, { recursive: true }))

const fill = async (draft: string): Promise<void> => {
  writeFileSync(path.join(draft, 'backup.json'), '{}')
  mkdirSync(path.join(draft, 'objects'))
  writeFileSync(path.join(draft, 'objects', 'one'), '1')
}

describe.each([
  ['that can be replaced', async (): Promise<boolean> => true],
  ['that is the root of a volume', async (): Promise<boolean> => false],
] as const)('a folder %s', (_, isReplaceable) => {
  it('is filled as a whole, and nothing else is left', async () => {
    const target = path.join(base, 'there')
    mkdirSync(target)
    await fillFolder(target, fill, isReplaceable)
    expect(readdirSync(target).sort()).toEqual(['backup.json', 'objects'])
    expect(readdirSync(path.join(target, 'objects'))).toEqual(['one'])
    expect(readdirSync(base)).toEqual(['there'])
  })

  it('is as it was where filling it fails, or where something has come into it meanwhile', async () => {
    const target = path.join(base, 'there')
    mkdirSync(target)
    const failing = async (draft: string): Promise<void> => {
      await fill(draft)
      throw new Error('no space')
    }
    await expect(fillFolder(target, failing, isReplaceable)).rejects.toThrow('no space')
    expect([readdirSync(base), readdirSync(target)]).toEqual([['there'], []])
    const disturbed = async (draft: string): Promise<void> => {
      await fill(draft)
      writeFileSync(path.join(target, 'other'), '')
    }
    await expect(fillFolder(target, disturbed, isReplaceable)).rejects.toThrow(/FOLDER_IN_USE.*such as other/)
    expect([readdirSync(base), readdirSync(target)]).toEqual([['there'], ['other']])
  })
})
