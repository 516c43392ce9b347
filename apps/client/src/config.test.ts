import { describe, expect, it } from 'vitest'
import { type ClientConfigInput, clientConfig, modelSettings } from './config.ts'

const input: ClientConfigInput = {
  coordinator: 'https://coordinator.test',
  name: 'north',
  dataFile: 'letters.jsonl',
  stateDir: 'state',
  budget: { epsilon: 6, delta: 1e-5 },
}

describe('clientConfig', () => {
  it('fills in what is usual', () => {
    expect(clientConfig(input)).toEqual({
      ...input,
      models: '.fedsvd/models',
      extension: [],
      threads: 1,
      runtime: 'onnxruntime',
      executionProvider: 'cpu',
      releaseGrid: true,
      renewals: [],
      once: false,
      limits: {},
      policy: { approval: 'auto' },
    })
  })

  it('has texts read in a process of their own', () => {
    expect(modelSettings(clientConfig(input))).toEqual({ models: '.fedsvd/models', readsTextsApart: true })
  })

  it.each<[string, Partial<ClientConfigInput>]>([
    ['name', { name: '' }],
    ['name', { name: '<script>' }],
    ['budget.epsilon', { budget: { epsilon: 0, delta: 1e-5 } }],
    ['budget.delta', { budget: { epsilon: 6, delta: 1 } }],
    ['declaredRecords', { declaredRecords: 0.5 }],
    ['declaredLabels', { declaredLabels: ['ham'] }],
    ['limits.clipNorm.max', { limits: { clipNorm: { max: Number.NaN } } }],
    ['threads', { threads: 0 }],
    ['textColumn', { textColumn: '' }],
    ['task', { task: 'poetry' as never }],
    ['maxWaitSeconds', { maxWaitSeconds: -1 }],
  ])('refuses a wrong %s, and names it', (field, wrong) => {
    expect(() => clientConfig({ ...input, ...wrong })).toThrow(`CONFIG_INVALID: expected a valid ${field}`)
  })

  it.each([
    ['ftp://coordinator.test'],
    ['coordinator.test:7373'],
    ['https://ada:secret@coordinator.test'],
    ['https://coordinator.test/?run=1'],
  ])('says of the address %s what one looks like', (coordinator) => {
    expect(() => clientConfig({ ...input, coordinator })).toThrow(
      /CONFIG_INVALID: expected the address of a coordinator, such as https/,
    )
  })

  it('says what stands there and what may', () => {
    expect(() => clientConfig({ ...input, threads: 1000 })).toThrow('got 1000, where at most 256 may be')
    expect(() => clientConfig({ ...input, budgetName: 'trial 2027' })).toThrow(
      /got a name that is not of small letters/,
    )
  })

  it('takes a statement of the data owner for a budget beside that of the site only, and passes over none', () => {
    const disjointStatement = 'statement.json'
    expect(() => clientConfig({ ...input, disjointStatement })).toThrow(/disjointStatement together.*got no budgetName/)
    expect(() => clientConfig({ ...input, disjointStatement, budgetName: 'site' })).toThrow(/the budget "site"/)
    expect(clientConfig({ ...input, disjointStatement, budgetName: 'trial' })).toMatchObject({ disjointStatement })
  })

  it('calls a setting what the person who gave it calls it', () => {
    const nameOf = (path: readonly string[]): string => `--${path.join('-')}`
    const wrong = { ...input, budget: { epsilon: 0, delta: 1e-5 } }
    expect(() => clientConfig(wrong, nameOf)).toThrow(
      /expected a valid --budget-epsilon, got .*Correct --budget-epsilon/,
    )
    const unknown = { ...input, limits: { clipnorm: { max: 2 } } } as never
    expect(() => clientConfig(unknown, nameOf)).toThrow('got --limits-clipnorm')
  })

  it.each([
    [{ datafile: 'letters.jsonl' }, /got datafile\b.*Did you mean dataFile\?/s],
    [{ limits: { clipnorm: { max: 2 } } }, /got limits\.clipnorm\b.*Did you mean clipNorm\?/s],
    [{ limits: { clipNorm: { maximum: 2 } } }, /got limits\.clipNorm\.maximum\b/],
  ])('refuses a setting that there is not, at any depth, with the nearest one: %j', (unknown, told) => {
    expect(() => clientConfig({ ...input, ...unknown } as never)).toThrow(told)
  })
})
