import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { splitForTest } from '@fedsvd/engine/baselines'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { program } from '../main.ts'

describe('fedsvd data baseline', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-baseline-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** What the command prints with --simple --json for these rows. */
  async function printed(rows: readonly string[]): Promise<unknown> {
    const file = join(folder, 'notes.csv')
    await writeFile(file, `text,label\n${rows.join('\n')}\n`)
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    try {
      await (await program((name) => name === 'data')).parseAsync(['data', 'baseline', file, '--simple', '--json'], {
        from: 'user',
      })
      return JSON.parse(String(write.mock.calls[0]?.[0]))
    } finally {
      write.mockRestore()
    }
  }

  it('tells what a site reaches alone on texts that were kept apart', async () => {
    const rows = Array.from(
      { length: 100 },
      (_, at) => `note ${at} is ${at % 4 ? 'fine' : 'bad'} today,${at % 4 ? 'good' : 'poor'}`,
    )
    expect(await printed(rows)).toMatchObject({
      training: 80,
      test: 20,
      baselines: [{ name: 'always the largest class' }, { name: 'TF-IDF and logistic regression', accuracy: 1 }],
    })
  })

  it('says what is missing', async () => {
    await expect(printed(['a,x', 'b,x', 'c,x'])).rejects.toThrow('DATA_EMPTY: expected records of two labels or more')
  })

  it('keeps copies of a text on one side', () => {
    const records = Array.from({ length: 60 }, (_, at) => ({ text: `text ${at % 20}`, label: String(at % 2) }))
    const { training, test } = splitForTest(records, 'a')
    expect([training.length, test.length]).toEqual([48, 12])
    const trained = new Set(training.map(({ text }) => text))
    expect(test.filter(({ text }) => trained.has(text))).toEqual([])
  })
})
