import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type ConfigFileError, parseConfig } from '../config-file/index.ts'
import { type CellFacts, cellsOf, type Experiment, updatesOf } from './experiment.ts'
import { experimentConfigSchema, settingsOf } from './experiment-config.ts'
import { parseSeeds } from './seeds.ts'

const RUN = 'name: trial\nlabels: [bad, good]\ntarget: { epsilon: 6 }\n'
const parse = (text: string) => parseConfig(RUN + text, experimentConfigSchema, { file: 'run.yaml', what: 'a run' })

function faultsIn(text: string): readonly string[] {
  try {
    parse(text)
  } catch (error) {
    return (error as ConfigFileError).faults.map(({ line, path, message }) => `${line} ${path}: ${message}`)
  }
  return []
}

const experiment = (text = '', changes: Partial<Experiment> = {}): Experiment => ({
  config: parse(text),
  methods: [],
  seeds: [1, 2],
  data: ['data.csv'],
  reading: {},
  holdOut: { share: 0.2 },
  partition: { kind: 'iid' },
  clients: 4,
  declared: 'own',
  models: { models: 'models' },
  extension: [],
  threads: 1,
  ...changes,
})
const facts: CellFacts = {
  fingerprints: ['f'],
  sites: new Map([
    [1, 4],
    [2, 4],
  ]),
  maxTokens: new Map([['starter', 128]]),
}
const cells = (text?: string, changes?: Partial<Experiment>, given: Partial<CellFacts> = {}) =>
  cellsOf(experiment(text, changes), { ...facts, ...given })

describe('the settings of an experiment', () => {
  it('are every combination of the grid, the methods first', () => {
    const config = parse('grid:\n  learningRate: [1, 2]\n  model.maxTokens: [16, 32]\n')
    const settings = settingsOf(config, ['fedsvd', 'ffa-lora'])
    expect(settings).toHaveLength(8)
    expect(Object.keys(settings[0]!.point)).toEqual(['method', 'learningRate', 'model.maxTokens'])
    expect(settings.at(-1)).toMatchObject({
      point: { method: 'ffa-lora', learningRate: 2, 'model.maxTokens': 32 },
      config: { method: 'ffa-lora', learningRate: 2, model: { name: 'starter', maxTokens: 32 } },
    })
    expect(settingsOf(parse(''), [])).toMatchObject([{ point: {}, config: { name: 'trial' } }])
  })

  it('are checked before anything is run, each value with its line', () => {
    expect(faultsIn('grid: { learningRat: [1] }\n')[0]).toMatch(/^4 grid\.learningRat/)
    expect(faultsIn('grid:\n  learningRate: [1, -2]\n')[0]).toMatch(/^5 grid\.learningRate.*-2 does not fit/)
    expect(faultsIn('grid: { learningRate: [] }\n')).toHaveLength(1)
    expect(faultsIn('grid: { seed: [a, b] }\n')[0]).toMatch(/the same in all/)
    expect(faultsIn('grid: { target.epsilon: [1, 3] }\n')).toEqual([])
    expect(faultsIn('gird: { learningRate: [1] }\n')[0]).toMatch(/did you mean grid/)
    expect(faultsIn('learningRate: many\n')[0]).toMatch(/^4 learningRate/)
  })
})

describe('the configurations of the example and of the page', () => {
  const textOf = (path: string): string => readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')

  it('are experiments', () => {
    const page = /^```yaml\n([\s\S]*?)^```$/m.exec(textOf('docs/how-to/simulate.md'))![1]!
    const read = (text: string) => parseConfig(text, experimentConfigSchema, { file: 'run.yaml', what: 'a run' })
    expect(settingsOf(read(page), ['fedsvd', 'ffa-lora'])).toHaveLength(8)
    expect(settingsOf(read(textOf('examples/simulate/run.yaml')), [])).toHaveLength(2)
  })
})

describe('the cells of an experiment', () => {
  it('are every setting under every seed, seed by seed, and all ask all sites unless told otherwise', () => {
    const found = cells('grid: { learningRate: [1, 2] }\nrounds: 3\n')
    expect(found.map(({ seed, point }) => [seed, point.learningRate])).toEqual([
      [1, 1],
      [1, 2],
      [2, 1],
      [2, 2],
    ])
    expect(new Set(found.map(({ id }) => id)).size).toBe(4)
    expect(found[0]!.request).toMatchObject({ clientsPerRound: 4, seed: 'simulation/1', model: { maxTokens: 128 } })
    expect(updatesOf(found[0]!)).toBe(12)
  })

  it('have another name where they would come to something else, and the same where they would not', () => {
    const [id] = cells().map((cell) => cell.id)
    const others = [
      cells('rounds: 9\n'),
      cells('', { partition: { kind: 'shards', perSite: 2 } }),
      cells('', { declared: 50 }),
      cells('', { holdOut: { share: 0.3 } }),
      cells('', {}, { fingerprints: ['g'] }),
      cells(
        '',
        {},
        {
          sites: new Map([
            [1, 5],
            [2, 5],
          ]),
        },
      ),
    ].map(([cell]) => cell!.id)
    expect(new Set([id, ...others]).size).toBe(7)
    const renamed = experiment()
    expect(cellsOf({ ...renamed, config: { ...renamed.config, name: 'another' }, seeds: [1] }, facts)[0]!.id).toBe(id)
    // the same setting, asked for in another way
    expect(cells('', { methods: ['fedsvd'] })[0]!.id).toBe(id)
  })

  it('are refused where a round asks for more sites than there are, or a method is unknown', () => {
    expect(() => cells('clientsPerRound: 5\n')).toThrow(/at most 4 clients in a round.*got 5/)
    expect(() => cells('clientsPerRound: 4\noverSelection: 2\n')).toThrow(/got 8/)
    expect(() => cells('siteEvaluation: {}\n')).toThrow(/on the hold-out alone.*got siteEvaluation/)
    expect(() => cells('', { methods: ['fedsdv'] })).toThrow(/CONFIG_INVALID.*method/)
  })
})

describe('seeds', () => {
  it.each([
    ['1', [1]],
    ['1..3', [1, 2, 3]],
    ['7, 1..2', [7, 1, 2]],
  ])('%s', (text, seeds) => expect(parseSeeds(text)).toEqual(seeds))

  it.each(['', '0', '1..', '3..1', '1,1', '1..2,2', 'a', '1.5', '-1', '1...3', '1..5000', '99999999', '1e3'])(
    '%j are refused',
    (text) => expect(() => parseSeeds(text)).toThrow(/CONFIG_INVALID.*--seeds/),
  )
})
