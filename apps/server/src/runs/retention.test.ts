import { keepStatesSchema } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { statesToRetire } from './retention.ts'

const kept = [0, 1, 2, 3, 4, 5]
const none = { best: undefined, registered: new Set<number>() }

describe('states that a rule does not keep', () => {
  it.each([
    ['all', none, []],
    ['best', { ...none, best: 2 }, [0, 1, 3, 4]],
    ['best', { ...none, best: 5 }, [0, 1, 2, 3, 4]],
    ['best', none, [0, 1, 2, 3, 4]], // measured on nothing: the newest
    ['last:1', none, [0, 1, 2, 3, 4]],
    ['last:2', { ...none, best: 1 }, [0, 1, 2, 3]],
    ['last:6', none, []],
    ['last:99', none, []],
    ['last:1', { best: 1, registered: new Set([0, 3]) }, [1, 2, 4]],
  ])('%s of six with %o are %j', (rule, facts, retired) => {
    expect(statesToRetire(rule, kept, facts)).toEqual(retired)
  })

  it('are the same when they are asked for again', () => {
    const facts = { best: 2, registered: new Set([1]) }
    const left = kept.filter((number) => !statesToRetire('best', kept, facts).includes(number))
    expect(left).toEqual([1, 2, 5])
    expect(statesToRetire('best', left, facts)).toEqual([])
  })

  it('are named by a rule of the protocol', () => {
    for (const rule of ['all', 'best', 'last:1', 'last:9999']) expect(keepStatesSchema.parse(rule)).toBe(rule)
    for (const rule of ['', 'last', 'last:0', 'last:-1', 'last:1.5', 'last:10000', 'best ', 'none', 7])
      expect(keepStatesSchema.safeParse(rule).success).toBe(false)
  })
})
