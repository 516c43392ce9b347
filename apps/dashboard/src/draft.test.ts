import { expect, it } from 'vitest'
import { readDraft } from './draft.ts'

const START = { name: '', rounds: 6, labels: ['ham', 'spam'], terms: {} }
const kept = (text: string | null) => ({ getItem: () => text, setItem: () => {}, removeItem: () => {} })

it.each([
  ['what was kept', '{"name":"a run","rounds":9}', { ...START, name: 'a run', rounds: 9 }],
  ['nothing of another form or type', '{"name":3,"labels":"ham","other":1,"terms":[],"rounds":null}', START],
  ['nothing that is no draft', 'not JSON', START],
  ['nothing that is no object', 'null', START],
  ['nothing where there is none', null, START],
])('a draft comes back with %s', (_, text, expected) => {
  expect(readDraft(kept(text), 'key', START)).toEqual(expected)
})
