import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AdapterState, initialState } from '@fedsvd/core/lora'
import { exportModel } from '@fedsvd/engine/export'
import { checkpointSchema } from '@fedsvd/engine/training'
import { openCheckpoint } from '@fedsvd/engine/weights/huggingface'
import { waveNamed } from '@fedsvd/testing/core/models'
import { factsOfRun } from '@fedsvd/testing/engine/trained-run'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { program } from '../main.ts'

const TINY = fileURLToPath(new URL('../../../../packages/engine/src/training/vectors/encoders/bert', import.meta.url))
const LABELS = ['bad', 'good']
const moved = (initial: AdapterState): AdapterState => ({
  ...initial,
  head: initial.head.map((spec, index) => waveNamed(100 + index, spec, 0.4)),
})

let folder: string
let model: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedsvd-commands-'))
  model = join(folder, 'model')
  const checkpoint = await openCheckpoint(TINY)
  const schema = checkpointSchema(checkpoint.config, { rank: 1, alpha: 1, headMode: 'trained', classes: 2 })
  await exportModel({
    format: 'onnx',
    folder: model,
    base: { kind: 'checkpoint', checkpoint, identity: { config: '', tensors: '', tokenizer: '' } },
    trained: { schema, state: moved(initialState(schema, { seed: 'commands' })), labels: LABELS, maxTokens: 16 },
    facts: factsOfRun('tiny'),
  })
  const rows = ['a bad film,bad', 'a very good film,good', 'the plot is dull,bad']
  await writeFile(join(folder, 'test.csv'), ['text,label', ...rows].join('\n'))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => void vi.restoreAllMocks())

/** What a command prints. */
async function printed(...words: readonly string[]): Promise<string> {
  const lines: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
  const command = await program((name) => name === words[0])
  await command.parseAsync(['node', 'fedsvd', ...words])
  return lines.join('')
}

describe('predict and evaluate', () => {
  const data = () => join(folder, 'test.csv')

  it('agree with each other, text by text', async () => {
    const answers = (await printed('predict', model, data(), '--json', '--threads', '1'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { index: number; label: string; score: number; scores: object })
    expect(answers.map(({ index }) => index)).toEqual([1, 2, 3])
    for (const { label, score, scores } of answers) {
      expect(Object.keys(scores)).toEqual(LABELS)
      expect(Object.entries(scores)).toContainEqual([label, score])
    }
    const evaluation = JSON.parse(await printed('evaluate', model, '--data', data(), '--json')) as {
      confusion: number[][]
      accuracy: number
    }
    const right = answers.filter(({ label }, index) => label === ['bad', 'good', 'bad'][index]).length
    expect(evaluation.accuracy).toBeCloseTo(right / 3, 9)
    expect(evaluation.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(3)
  })

  it('print for people what --json has', async () => {
    expect(await printed('predict', model, data())).toMatch(/^(bad|good) {2}0\.\d{4} {2}a bad film$/m)
    const text = await printed('evaluate', model, '--data', data())
    expect(text).toMatch(/^accuracy {5}\d\.\d{4} \(95 %: /m)
    expect(text).toMatch(/^baseline {5}0\.6667/m)
    expect(text).toMatch(/^label +precision +recall +F1 +texts$/m)
    expect(text).toMatch(/^true \\ predicted +bad +good$/m)
  })

  it('say what is missing, before a model is loaded', async () => {
    const run = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
    await expect(printed('predict', run)).rejects.toThrow(/CONFIG_INVALID.*--coordinator/)
    await expect(printed('evaluate', join(folder, 'nowhere'), '--data', data())).rejects.toThrow(/CHECKPOINT_INVALID/)
    await expect(printed('evaluate', model, '--data', data(), '--task', 'causal-lm')).rejects.toThrow(
      /--task causal-lm/,
    )
    await expect(printed('serve-model', model, '--host', '0.0.0.0')).rejects.toThrow(/CONFIG_INVALID.*token/)
  })
})
