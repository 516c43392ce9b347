import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Task } from '@fedsvd/core/lora'
import type { ModelInput } from '@fedsvd/engine/datasets'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DataOptions } from '../data-options.ts'
import { inputsFrom } from './inputs.ts'

async function all(source: AsyncIterable<ModelInput>): Promise<ModelInput[]> {
  const found: ModelInput[] = []
  for await (const input of source) found.push(input)
  return found
}

async function* bytes(...parts: readonly (string | readonly number[])[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : Uint8Array.from(part)
}
const fromLines = (source: AsyncIterable<Uint8Array>, options: DataOptions = {}) =>
  all(inputsFrom('-', options, 'sequence-classification', source))

describe('texts on standard input', () => {
  it('are lines, whatever parts they come in, without blank ones and without line ends', async () => {
    const source = bytes('one\r\ntw', 'o\n\n \nth', 'r', 'ee')
    expect(await fromLines(source)).toEqual([{ text: 'one' }, { text: 'two' }, { text: 'three' }])
    expect(await fromLines(bytes())).toEqual([])
  })

  it('may break in the middle of a character, and begin with a byte order mark', async () => {
    expect(await fromLines(bytes([0xef, 0xbb, 0xbf, 0x63, 0xc3], [0xa9]))).toEqual([{ text: 'cé' }])
  })

  it('are refused in another encoding than is said', async () => {
    await expect(fromLines(bytes('a\n', [0xe9, 0x0a]))).rejects.toThrow(/DATA_UNREADABLE.*utf-8.*line 2/)
    expect(await fromLines(bytes([0xe9, 0x0a]), { encoding: 'windows-1252' })).toEqual([{ text: 'é' }])
    await expect(fromLines(bytes([0xc3]))).rejects.toThrow(/DATA_UNREADABLE/)
    await expect(fromLines(bytes('a'), { encoding: 'morse' })).rejects.toThrow(/CONFIG_INVALID/)
  })
})

describe('texts of a file', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-inputs-'))
  })
  afterAll(() => rm(folder, { recursive: true }))
  const read = async (name: string, content: string, task: Task, options: DataOptions = {}) => {
    await writeFile(join(folder, name), content)
    return await all(inputsFrom(join(folder, name), options, task))
  }

  it('need no labels', async () => {
    expect(await read('a.csv', 'text\nx\n', 'sequence-classification')).toEqual([{ text: 'x' }])
    expect(await read('b.csv', 'body,label\nx,1\n', 'sequence-classification', { textColumn: 'body' })).toEqual([
      { text: 'x' },
    ])
  })

  it('may be pairs, words or prompts, as the task of the model has it', async () => {
    const pairs = { pairColumn: 'b' }
    expect(await read('c.csv', 'text,b\nx,y\n', 'sequence-classification', pairs)).toEqual([{ text: 'x', pair: 'y' }])
    const words = [{ text: 'Ada lives', words: ['Ada', 'lives'] }]
    expect(await read('d.jsonl', '{"words":["Ada","lives"]}\n', 'token-classification')).toEqual(words)
    expect(await read('e.csv', 'tokens\nAda lives\n', 'token-classification', { wordsColumn: 'tokens' })).toEqual(words)
    expect(await read('f.jsonl', '{"prompt":"Say hi:"}\n', 'instruction-tuning')).toEqual([{ text: 'Say hi:' }])
  })

  it('are refused with file and line where there is none', async () => {
    await expect(read('g.jsonl', '{"text":"x"}\n{"text":""}\n', 'causal-lm')).rejects.toThrow(
      /DATA_UNREADABLE.*g\.jsonl:2/,
    )
    await expect(read('h.csv', 'body\nx\n', 'causal-lm')).rejects.toThrow(/DATA_UNREADABLE.*"text"/)
    await expect(read('i.jsonl', '{"text":"x"}\n', 'token-classification')).rejects.toThrow(/DATA_UNREADABLE.*"words"/)
  })
})
