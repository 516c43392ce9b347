import type { ModelList, RunOptions } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { checked, type Form, START, withModel, withRule, withTask } from './form.ts'
import { privacyFields, roundFields } from './numbers.tsx'

const LIST: ModelList = {
  models: [
    { name: 'starter', maxTokens: 128, tasks: ['sequence-classification'], isComplete: true },
    {
      name: 'bert',
      modelType: 'bert',
      maxTokens: 64,
      tasks: ['sequence-classification', 'token-classification'],
      isComplete: true,
    },
    { name: 'gpt2', modelType: 'gpt2', maxTokens: 512, tasks: ['causal-lm', 'instruction-tuning'], isComplete: false },
  ],
  unusable: [],
  hasHub: true,
}
const OPTIONS: RunOptions = {
  methods: ['fedsvd', 'ffa-lora', 'fedsvd-truncated'],
  initialisers: ['orthonormal', 'kaiming', 'rademacher'],
  aggregationRules: [
    { name: 'mean', terms: [] },
    { name: 'geometric-median', terms: [{ name: 'iterations', minimum: 1, maximum: 1000, isWhole: true }] },
  ],
}
const IDENTITY = { config: 'a'.repeat(64), tensors: 'b'.repeat(64), tokenizer: 'c'.repeat(64) }

const formOf = (model: string, changes: Partial<Form> = {}): Form => ({
  ...withModel({ ...START, name: 'a run' }, model, LIST),
  ...changes,
})
const faultOf = (form: Form, field: string) => checked(form, LIST, OPTIONS).faults.get(field)

describe('the form of a new run', () => {
  it('asks for what the model, the task and the mode have a use for, and for nothing else', () => {
    const { request } = checked(formOf('starter'), LIST, OPTIONS)
    expect(request).toMatchObject({
      model: { name: 'starter', maxTokens: 128, featureScale: 10 },
      labels: ['ham', 'spam'],
    })
    for (const key of ['task', 'mode', 'lateUpdates', 'maxStaleness', 'overSelection'])
      expect(request).not.toHaveProperty(key)
  })

  it('follows the model: a task that it has, and texts that it reads', () => {
    expect(formOf('bert').maxTokens).toBe(64)
    expect(formOf('gpt2').task).toBe('causal-lm')
    expect(faultOf(formOf('bert', { maxTokens: 65 }), 'maxTokens')).toBe('At most 64 for bert')
    expect(faultOf(formOf('starter', { task: 'causal-lm' }), 'task')).toBe('starter cannot be trained for it')
  })

  it('offers the usual values of the model and the task, and keeps what was typed', () => {
    expect(formOf('starter')).toMatchObject({ learningRate: 12, clipNorm: 0.5, featureScale: 10 })
    expect(formOf('bert')).toMatchObject({ learningRate: 0.5, clipNorm: 1, featureScale: 1 })
    expect(formOf('gpt2')).toMatchObject({ learningRate: 0.2, maxTokens: 256 })
    const typed = withModel(formOf('starter', { learningRate: 3 }), 'bert', LIST)
    expect(typed).toMatchObject({ learningRate: 3, clipNorm: 1, rounds: 10 })
    expect(withModel(typed, 'starter', LIST)).toMatchObject({
      learningRate: 3,
      clipNorm: 0.5,
      rounds: 6,
      maxTokens: 128,
    })
    expect(withTask(formOf('gpt2', { rounds: 7 }), 'sequence-classification', LIST)).toMatchObject({
      learningRate: 0.5,
      maxTokens: 128,
      rounds: 7,
    })
  })

  it('names labels only where a task has some, and tells checkpoints apart that are not whole', () => {
    const form = formOf('gpt2', { task: 'instruction-tuning', labels: ['left', 'over'] })
    expect(faultOf(form, 'checkpoint')).toMatch(/^Three SHA-256/)
    const { request } = checked({ ...form, checkpoint: JSON.stringify(IDENTITY) }, LIST, OPTIONS)
    expect(request).toMatchObject({ task: 'instruction-tuning', labels: [], model: { checkpoint: IDENTITY } })
    expect(request!.model).not.toHaveProperty('featureScale')
    expect(faultOf(formOf('bert', { labels: ['O'] }), 'labels')).toBe('Two or more')
    expect(faultOf(formOf('bert', { labels: ['O', 'O'] }), 'labels')).toBe('Name each class once')
  })

  it('takes what an extension of the coordinator has registered, by its name and within its ranges', () => {
    const plain = checked(formOf('starter'), LIST, OPTIONS).request
    expect(plain).toMatchObject({ method: 'fedsvd' })
    expect(plain).not.toHaveProperty('initialiser')
    expect(plain).not.toHaveProperty('aggregation')
    const chosen = formOf('starter', { method: 'fedsvd-truncated', initialiser: 'rademacher' })
    const form = withRule(chosen, 'geometric-median', OPTIONS)
    expect(checked(form, LIST, OPTIONS).request).toMatchObject({
      method: 'fedsvd-truncated',
      initialiser: 'rademacher',
      aggregation: { name: 'geometric-median', iterations: 1 },
    })
    for (const iterations of [0, 1001, 1.5, Number.NaN]) {
      expect(faultOf({ ...form, terms: { iterations } }, 'aggregation.iterations')).toBe(
        'A whole number from 1 to 1000',
      )
    }
    expect(checked({ ...form, mode: 'buffered', bufferSize: 3 }, LIST, OPTIONS).request).not.toHaveProperty(
      'aggregation',
    )
    expect(checked(withRule(form, 'mean', OPTIONS), LIST, OPTIONS).request).not.toHaveProperty('aggregation')
  })

  it('has a buffer with its size, the weight of stale updates and the fewest that close it', () => {
    const form = formOf('starter', {
      mode: 'buffered',
      bufferSize: 2,
      clientsPerRound: 5,
      quorum: 2,
      lateUpdates: 'rebase',
    })
    const { request } = checked(form, LIST, OPTIONS)
    expect(request).toMatchObject({
      mode: { name: 'buffered', bufferSize: 2, stalenessExponent: 0.5 },
      maxStaleness: 20,
      quorum: 2,
    })
    expect(request).not.toHaveProperty('lateUpdates') // a buffer counts late updates anyway, and refuses to be told so
    expect(faultOf({ ...form, quorum: 3 }, 'quorum')).toBe('At most 2, the buffer size')
    expect(faultOf({ ...form, stalenessExponent: 11 }, 'stalenessExponent')).toBeDefined()
    expect(roundFields(form).map(({ key }) => key)).not.toContain('overSelection')
  })

  it('protects persons only where it is asked to, and then says so at every number', () => {
    expect(checked(formOf('starter'), LIST, OPTIONS).request).not.toHaveProperty('unit')
    const form = formOf('starter', { unit: 'person', maxRecords: 4, combine: 'sum' })
    expect(checked(form, LIST, OPTIONS).request).toMatchObject({
      unit: { kind: 'person', maxRecords: 4, combine: 'sum' },
    })
    expect(faultOf({ ...form, maxRecords: 0 }, 'maxRecords')).toBeDefined()
    const texts = privacyFields(form).map(({ help }) => help)
    expect(texts.filter((text) => /\bper record\b|records of every client|Records that a step/i.test(text))).toEqual([])
    expect(privacyFields(formOf('starter')).map(({ key }) => key)).not.toContain('maxRecords')
  })

  it('moves late updates of a synchronous run only where it is asked to', () => {
    const form = formOf('starter', { lateUpdates: 'rebase', maxStaleness: 3, overSelection: 1.5 })
    expect(checked(form, LIST, OPTIONS).request).toMatchObject({
      lateUpdates: 'rebase',
      maxStaleness: 3,
      overSelection: 1.5,
    })
    expect(roundFields(form).map(({ key }) => key)).toContain('maxStaleness')
    expect(roundFields(formOf('starter')).map(({ key }) => key)).not.toContain('maxStaleness')
  })

  it('names any model where there is a hub, and none without a name', () => {
    expect(checked(formOf('lab/bert@main'), LIST, OPTIONS).request).toMatchObject({ model: { name: 'lab/bert@main' } })
    expect(faultOf(formOf(''), 'model')).toBeDefined()
    expect(faultOf(formOf('starter', { rounds: Number.NaN }), 'rounds')).toBeDefined()
    expect(faultOf(formOf('starter', { quorum: 4 }), 'quorum')).toBe('At most 3, as many as are asked')
  })
})
