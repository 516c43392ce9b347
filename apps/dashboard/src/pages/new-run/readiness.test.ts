import type { SitePrice } from '@fedsvd/core/protocol'
import { describe, expect, it } from 'vitest'
import { readinessOf } from './readiness.ts'

const site = (standing: SitePrice['standing'], index: number): SitePrice => {
  return { clientId: String(index), name: `site ${index}`, standing, epsilonSpent: 0, delta: 1e-5 }
}
const priced = (quorum: number, standings: readonly SitePrice['standing'][]) =>
  readinessOf({ rounds: 6, quorum, clients: standings.map(site) })

describe('whether a run could begin', () => {
  it('says how many sites can take part now, where they are enough', () => {
    expect(priced(2, ['ready', 'ready', 'out'])).toEqual({
      isReady: true,
      text: '2 sites can take part now; a round needs 2.',
    })
  })

  it('says that the run would wait, and what becomes of the others', () => {
    const { isReady, text } = priced(9, ['ready', 'away', 'out', 'out', 'undeclared'])
    expect(isReady).toBe(false)
    expect(text).toBe(
      'The run would wait: 1 site can take part now, and a round needs 9. 1 not connected, 1 with records not known here, 2 that cannot take part.',
    )
    expect(priced(1, []).text).toBe('The run would wait: 0 sites can take part now, and a round needs 1.')
  })
})
