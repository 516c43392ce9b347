import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { breachesOf, breachesOfTree, MOST_MEMBERS, membersOf } from './check-members.ts'

const classWith = (count: number) =>
  `class Run { ${Array.from({ length: count }, (_, at) => `m${at}() {}`).join('; ')} }`

describe('the bound on public members', () => {
  it('counts each member that callers see once, and nothing that they do not', () => {
    const source = `export class Run<T> implements Context {
      static load(): Run { return new Run() }
      readonly id = 'x'
      #hidden = 1
      private own = 2
      constructor(readonly store: Store, private log: Log, plain: number) {}
      get plan() { return 1 }
      set plan(value) {}
      find(id: string): string
      find(id: number): string
      find(id: unknown) { return String(id) }
      [Symbol.dispose]() {}
      async #read() { return new (class { inner() {} })() }
    }
    interface Store { readonly field: number; list(): void; list(since: number): void }`
    expect(membersOf('run.ts', source)).toEqual([
      { name: 'Run', members: ['load', 'id', 'store', 'plan', 'find', '[dispose]'] },
      { name: 'anonymous', members: ['inner'] },
      { name: 'Store', members: ['list'] },
    ])
  })

  it('refuses a class with one more than the bound, unless it is an exception', () => {
    expect(breachesOf('run.ts', classWith(MOST_MEMBERS))).toEqual([])
    const tooMany = classWith(MOST_MEMBERS + 1)
    expect(breachesOf('run.ts', tooMany)).toEqual([expect.stringContaining('run.ts: Run has 15 public members')])
    expect(breachesOf('run.ts', tooMany, { 'run.ts#Run': 'a reason' })).toEqual([])
  })

  it('refuses an exception that is not needed', () => {
    const source = classWith(MOST_MEMBERS)
    expect(breachesOf('run.ts', source, { 'run.ts#Run': 'a reason' })).toEqual([expect.stringContaining('take it out')])
  })

  it('holds for the whole tree', () => {
    expect(breachesOfTree(fileURLToPath(new URL('..', import.meta.url)))).toEqual([])
  })
})
