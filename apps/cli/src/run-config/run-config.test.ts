import { runRequestSchema } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { type ConfigFileError, keysOf, parseConfig } from '../config-file/index.ts'
import { runConfigSchema, runRequestOf } from './index.ts'

const SHORTEST = 'name: reviews\nlabels: [bad, good]\ntarget:\n  epsilon: 6\n'

const parse = (text: string) => parseConfig(text, runConfigSchema, { file: 'run.yaml', what: 'run configuration' })
const request = (text: string, clients = 3, maxTokens?: number) =>
  runRequestOf(parse(text), { clients, ...(maxTokens !== undefined && { model: { maxTokens, tasks: [] } }) })

function faultsIn(text: string): readonly string[] {
  try {
    parse(text)
  } catch (error) {
    return (error as ConfigFileError).faults.map(({ line, path, message }) => `${line} ${path}: ${message}`)
  }
  return []
}

describe('a run configuration', () => {
  it('needs a name, labels and epsilon; all else has its usual value', () => {
    const made = request(SHORTEST)
    expect(runRequestSchema.parse(made)).toEqual(made)
    expect(made).toMatchObject({
      model: { name: 'starter', maxTokens: 128, featureScale: 10 },
      learningRate: 12,
      target: { epsilon: 6, delta: 1e-5 },
      clientsPerRound: 3,
      quorum: 3,
    })
    expect(faultsIn('rounds: 3\n')).toEqual(['1 name: no value', '1 target: no value'])
    expect(faultsIn('name: a\ntarget: {epsilon: 6}\n')[0]).toMatch(/labels: 0 labels, where sequence-class/)
  })

  it('has other usual values for a checkpoint, and for a task that predicts tokens', () => {
    const bert = request(`${SHORTEST}model: my-bert\n`, 10, 64)
    expect(bert).toMatchObject({ model: { name: 'my-bert', maxTokens: 64 }, learningRate: 0.5, clipNorm: 1, quorum: 7 })
    expect(bert.model).not.toHaveProperty('featureScale')
    const gpt2 = request('name: a\nmodel: { name: gpt2 }\ntask: causal-lm\ntarget: { epsilon: 6 }\n')
    expect(gpt2).toMatchObject({ learningRate: 0.2, labels: [], task: 'causal-lm', model: { maxTokens: 256 } })
    expect(runRequestSchema.parse(gpt2)).toEqual(gpt2)
  })

  it('starts from a round that people count from 1, or the best, or the newest', () => {
    const run = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
    const from = (what: string) => request(`${SHORTEST}startFrom: { run: ${run}${what} }\n`).startFrom
    expect(from(', round: 3')).toEqual({ runId: run, round: 2 })
    expect(from(', round: best')).toEqual({ runId: run, round: 'best' })
    expect(from('')).toEqual({ runId: run })
    expect(faultsIn(`${SHORTEST}startFrom: { run: ${run}, round: 0 }\n`)).toHaveLength(1)
  })

  it('takes what it says before what is usual, down to single terms', () => {
    const text = `${SHORTEST}model: { name: starter, maxTokens: 32 }\nadapter: { rank: 4 }\nlearningRate: 3\nquorum: 2
unit: person\nmode: { name: buffered, bufferSize: 2 }\nadaptiveClipping: {}\nseed: other\n`
    const made = request(text)
    expect(runRequestSchema.parse(made)).toEqual(made)
    expect(made).toMatchObject({
      model: { maxTokens: 32, featureScale: 10 },
      adapter: { rank: 4, alpha: 8, headMode: 'trained' },
      learningRate: 3,
      quorum: 2,
      unit: { kind: 'person', maxRecords: 16, combine: 'mean' },
      mode: { name: 'buffered', bufferSize: 2, stalenessExponent: 0.5 },
      adaptiveClipping: { quantile: 0.5, learningRate: 0.2, countShare: 0.1 },
      seed: 'other',
    })
    const client = `${SHORTEST}clientLevel: { clipNorm: 1, budget: { epsilon: 8, delta: 1e-3 }, adaptiveClipping: {} }\n`
    expect(runRequestSchema.parse(request(client)).clientLevel).toMatchObject({ adaptiveClipping: { quantile: 0.5 } })
  })

  it('leaves what only a coordinator knows to the coordinator', () => {
    const made = request(`${SHORTEST}method: of-an-extension\naggregation: { name: geometric-median, iterations: 3 }\n`)
    expect(made).toMatchObject({ method: 'of-an-extension', aggregation: { name: 'geometric-median', iterations: 3 } })
    expect(request(`${SHORTEST}aggregation: median\n`).aggregation).toEqual({ name: 'median' })
    expect(faultsIn(`${SHORTEST}aggregation: { iterations: 3 }\n`)).toEqual([
      '5 aggregation.name: no name of a rule, such as `name: median`',
    ])
    expect(request(`${SHORTEST}mode: synchronous\n`)).not.toHaveProperty('mode')
  })

  it('is told where it contradicts itself, or has keys of another choice', () => {
    expect(faultsIn(`${SHORTEST}clientsPerRound: 2\nquorum: 3\n`)).toEqual([
      '6 quorum: 3, where at most clientsPerRound, 2, may be',
    ])
    expect(faultsIn(SHORTEST.replace('good', 'bad'))).toEqual([
      '2 labels: a label that stands here twice; name each class once',
    ])
    expect(faultsIn(`${SHORTEST}task: causal-lm\n`)[0]).toMatch(/where causal-lm has none/)
    expect(faultsIn(`${SHORTEST}mode: { name: synchronous, bufferSize: 3 }\n`)[0]).toMatch(/mode\.bufferSize: no key/)
    expect(faultsIn(`${SHORTEST}model: { nam: x }\n`)).toEqual([
      '5 model.nam: no key that is known here; did you mean name?',
    ])
    expect(faultsIn(SHORTEST.replace('6', '1e9'))[0]).toMatch(/target\.epsilon: 1000000000, where at most 1000 may be/)
  })

  it('says of every key what it decides', () => {
    const keys = keysOf(runConfigSchema)
    expect(keys.length).toBeGreaterThan(40)
    // the hashes of a checkpoint, which are said together
    const silent = keys.filter(({ path, description }) => description === '' && !path.startsWith('model.checkpoint.'))
    expect(silent.map(({ path }) => path)).toEqual([])
    const needed = keys.filter((key) => key.default === 'needed' && !key.path.includes('.')).map(({ path }) => path)
    expect(needed).toEqual(['name', 'target'])
  })
})
