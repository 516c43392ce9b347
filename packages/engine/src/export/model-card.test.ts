import { describe, expect, it } from 'vitest'
import { modelCard } from './model-card.ts'
import type { RunFacts } from './run-facts.ts'
import type { Usage } from './usage.ts'

const facts: RunFacts = {
  runId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
  name: 'spam',
  rounds: 6,
  method: 'fedsvd',
  model: 'starter',
  training: {
    localSteps: 5,
    expectedLotSize: 256,
    clipNorm: 0.5,
    learningRate: 12,
    momentum: 0,
    clientsPerRound: 3,
    target: { epsilon: 6, delta: 1e-5 },
  },
  privacy: [
    {
      name: 'north-clinic',
      epsilonUpperBound: 5.9203,
      budget: 6,
      delta: 1e-5,
      unit: 'record',
      relation: 'add-or-remove-one',
      adversary: 'everyone outside the client’s process, the coordinator included',
    },
  ],
  evaluation: { accuracy: 0.95, loss: 0.2, records: 200 },
  majority: 0.7746,
}
const schema = { rank: 8, alpha: 8, layers: [{ name: 'a', dIn: 2, dOut: 2 }], head: [], headMode: 'trained' } as const
const usage: Usage = { format: 'peft', labels: ['ham', 'spam'], model: 'starter', isCode: true, hasTokenizer: true }
const cardOf = (
  changed: Partial<RunFacts> = {},
  used: Partial<Usage> = {},
  labels: readonly string[] = ['ham', 'spam'],
) =>
  modelCard({
    facts: { ...facts, ...changed },
    usage: { ...usage, labels, ...used },
    trained: { schema, labels, maxTokens: 32, task: used.task },
  })

describe('the model card', () => {
  it('names the run that its own went on from, whose sites are in the model, too', () => {
    expect(cardOf()).not.toContain('went on from')
    const startFrom = { runId: '11111111-1111-4111-8111-111111111111', rounds: 4 }
    expect(cardOf({ startFrom })).toMatch(
      /went on from the state of run `11111111-.*` after 4 rounds.*sites of that run/,
    )
    expect(cardOf({ startFrom, notPrivate: 'a reason' })).toContain('went on from')
  })

  it('has the facts of the run, each from the run', () => {
    const card = cardOf()
    expect(card).toContain('starter, fine-tuned by a federation under differential privacy')
    expect(card).toContain('after 6 rounds')
    expect(card).toContain('| clip norm | 0.5 |')
    // rounded up: never less than was spent
    expect(card).toContain('| north-clinic | record | 6 | 1e-5 | 5.921 | everyone outside')
    // 190 of 200: Wilson at 95 %
    expect(card).toContain('| accuracy | 0.9500 (95 %: 0.9104 to 0.9726) |')
    expect(card).toContain('| majority-class baseline | 0.7746 |')
    expect(card).toContain('Not claimed:')
  })

  it('says of the starter that AutoPeft cannot load it, and what can', () => {
    expect(cardOf()).toMatch(/`AutoPeftModel` cannot load this folder\. .*`--format onnx`/)
    expect(cardOf({}, { format: 'onnx' })).toContain("await pipeline('text-classification', './model'")
  })

  it('has a snippet for a checkpoint of a hub with its revision, and for one of a folder', () => {
    const ofHub = cardOf({ model: 'owner/bert@abc' }, { isCode: false, model: 'owner/bert@abc', hasTokenizer: false })
    expect(ofHub).toContain('base_model: "owner/bert"')
    expect(ofHub).toContain('AutoTokenizer.from_pretrained("owner/bert", revision="abc")')
    const ofFolder = cardOf({ model: 'my-bert' }, { isCode: false, model: 'my-bert' })
    expect(ofFolder).toContain('PeftModel.from_pretrained(base, "model")')
    expect(ofFolder).not.toContain('base_model:')
  })

  it('says first of all that a run is not private, and then promises nothing', () => {
    const card = cardOf({ notPrivate: 'its random numbers were seeded' })
    expect(card).toContain('**Not private.** No epsilon of this run holds: its random numbers were seeded')
    expect(card).not.toContain('differentially private under adding')
  })

  it('gives perplexity to what predicts tokens, and promises no measure that was not made', () => {
    expect(cardOf({}, { task: 'causal-lm', labels: [] }, [])).toContain('| perplexity | 1.22 |')
    expect(cardOf({ evaluation: undefined })).toContain('Not measured by the coordinator')
    expect(cardOf()).not.toContain('At the sites')
    const atSites = { accuracy: 0.8125, interval: { low: 0.75, high: 0.875 } }
    expect(cardOf({ atSites })).toMatch(/At the sites, .*accuracy 0\.8125 \(95 %: 0\.7500 to 0\.8750\)/)
  })

  it('takes names and labels for texts, whatever markup, code or lines they hold', () => {
    const hostile = '|x|\n# head <script>alert(1)</script> [l](http://e) ```'
    const card = cardOf(
      { name: hostile, privacy: [{ ...facts.privacy[0]!, name: hostile }] },
      { isCode: false, model: 'my-bert' },
      [hostile, 'b"]; import os; ["'],
    )
    expect(card).not.toMatch(/^# head/m)
    expect(card).not.toContain('\n# head')
    const prose = card.replace(/```[^`]*```/g, '')
    expect(prose).toContain('script')
    expect(prose).not.toMatch(/(?<!\\)<script>/)
    // each fence that is opened is closed, and none by a label
    expect(card.match(/^```/gm)!.length % 2).toBe(0)
    expect(card.match(/```/g)!.length).toBe(card.match(/^```/gm)!.length)
    expect(card).toContain('"b\\"]; import os; [\\""')
    const row = card.split('\n').find((line) => line.includes('| record |'))!
    expect(row.replace(/\\\|/g, '').split('|')).toHaveLength(8)
  })
})
