import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { completeConfig, settingsFromEnvironment } from '../config.ts'
import { readPublicRecords } from './public-records.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedsvd-hold-out-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

describe('a hold-out is read as a site reads its data', () => {
  it('with columns, encoding, delimiter, and in several files', async () => {
    const one = write('one.csv', Buffer.from('body;class\ncaf\xe9;1.0\n', 'latin1'))
    const two = write('two.csv', 'body;class\nb;True\n')
    const reading = { textColumn: 'body', labelColumn: 'class', delimiter: ';', encoding: 'windows-1252' }
    const records = await readPublicRecords([one, two], reading)
    expect(await records.forTask('sequence-classification')).toEqual([
      { text: 'café', label: '1' },
      { text: 'b', label: 'true' },
    ])
    // a run of another task takes of the options what its task has
    expect(await records.forTask('causal-lm')).toEqual([
      { task: 'causal-lm', text: 'café' },
      { task: 'causal-lm', text: 'b' },
    ])
    await expect(records.forTask('token-classification')).rejects.toThrow(/DATA_UNREADABLE.*"words" and "tags"/)
  })

  it('for the task that is named, else the first that fits', async () => {
    const both = write('both.jsonl', '{"text":"a","label":"x","prompt":"p","answer":"q"}\n')
    const records = await readPublicRecords(both, { task: 'instruction-tuning' })
    expect(await records.forTask('instruction-tuning')).toHaveLength(1)
    await expect(readPublicRecords(write('bad.jsonl', '{"text":"a"}\n{}\n'))).rejects.toThrow(
      /DATA_UNREADABLE.*bad\.jsonl:2/,
    )
  })
})

describe('the setting of how a hold-out is read', () => {
  const reading = (value: string) =>
    completeConfig(settingsFromEnvironment({ FEDSVD_HOLD_OUT_READING: value })).holdOutReading

  it('stands in the environment as JSON', () => {
    expect(reading('{"textColumn":"body","delimiter":";"}')).toEqual({ textColumn: 'body', delimiter: ';' })
    expect(completeConfig({}).holdOutReading).toEqual({})
  })

  it.each(['{', '{"textColum":"body"}', '{"quoting":"single"}', '[]', '7'])(
    '%s is refused by the name of the variable',
    (value) => {
      expect(() => reading(value)).toThrow(/CONFIG_INVALID.*FEDSVD_HOLD_OUT_READING/)
    },
  )

  it('names what may have been meant', () => {
    expect(() => reading('{"textColum":"body"}')).toThrow(
      /got FEDSVD_HOLD_OUT_READING\.textColum\. Did you mean textColumn\?/,
    )
  })
})
