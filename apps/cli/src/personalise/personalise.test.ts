import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { initialState } from '@fedsvd/core/lora'
import { exportModel } from '@fedsvd/engine/export'
import { openModel } from '@fedsvd/engine/inference'
import { modelStore } from '@fedsvd/engine/models'
import { checkpointSchema } from '@fedsvd/engine/training'
import { factsOfRun } from '@fedsvd/testing/engine/trained-run'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Personalisation, personalise } from './personalise.ts'

const TINY = fileURLToPath(new URL('../../../../packages/engine/src/training/vectors/encoders/bert', import.meta.url))

describe('an adapter that is personalised', () => {
  let folder: string
  const at = (name: string) => join(folder, name)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedsvd-personalise-'))
    await cp(TINY, at('models/tiny'), { recursive: true })
    const checkpoint = await modelStore({ models: at('models') }).open({ name: 'tiny' })
    const schema = checkpointSchema(checkpoint.config, { rank: 2, alpha: 2, headMode: 'trained', classes: 2 })
    await exportModel({
      format: 'peft',
      folder: at('adapter'),
      base: { kind: 'checkpoint', checkpoint, identity: await checkpoint.identity() },
      trained: { schema, state: initialState(schema, { seed: 'a' }), labels: ['bad', 'good'], maxTokens: 16 },
      facts: factsOfRun('tiny'),
    })
    const words = ['a', 'the', 'film', 'plot', 'very', 'so', 'and', 'but']
    const rows = words.flatMap((one) =>
      words.flatMap((other) => [`${one} bad ${other},bad`, `${one} good ${other},good`]),
    )
    await writeFile(at('notes.csv'), `text,label\n${rows.join('\n')}\n`)
    await writeFile(at('one.csv'), 'text,label\na film,bad\n')
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const request = (changes: Partial<Personalisation> = {}): Personalisation => ({
    folder: at('adapter'),
    data: [at('notes.csv')],
    reading: {},
    out: at('personal'),
    train: 'all',
    epochs: 30,
    threads: 1,
    seed: 'a',
    models: modelStore({ models: at('models') }),
    onEpoch: () => {},
    ...changes,
  })

  it('learns the records of its site, is readable for its owner alone, says that it stays, and answers', async () => {
    const { before, after, training, validation } = await personalise(request())
    expect([training, validation]).toEqual([102, 26])
    expect(after.loss).toBeLessThan(before.loss)
    expect(after.accuracy).toBeGreaterThan(0.9)
    expect((await stat(at('personal'))).mode & 0o077).toBe(0)
    expect(await readFile(at('personal/README.md'), 'utf8')).toMatch('it stays at this site')
    await using model = await openModel(at('personal'), {
      models: modelStore({ models: at('models') }),
      runtime: { threads: 1 },
    })
    expect(model).toMatchObject({ labels: ['bad', 'good'], maxTokens: 16 })
  })

  it('never replaces what is there, and needs records to measure on', async () => {
    await expect(personalise(request({ out: at('adapter') }))).rejects.toThrow(/CONFIG_INVALID.*still to be made/)
    await expect(personalise(request({ out: at('other'), data: [at('one.csv')] }))).rejects.toThrow('DATA_EMPTY')
    await expect(stat(at('other'))).rejects.toThrow('ENOENT')
  })
})
