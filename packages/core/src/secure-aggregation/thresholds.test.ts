import { describe, expect, it } from 'vitest'
import { sumThresholds } from './thresholds.ts'

/**
 * What a coordinator with c colluders gets out of the complete graph by telling each honest site another list of
 * survivors: a site answers with shares of the seeds of those on its list and of the mask keys of all others. `least`
 * is the fewest that a list may have, `threshold` the shares that give a secret back.
 *
 * @returns the size of the smallest group of honest sites whose sum it can learn, over all of its lies; 0 where it gets
 *   both secrets of a site, whose update is then in the clear
 */
function worstLie(sites: number, colluders: number, least: number, threshold: number): number {
  const honest = sites - colluders
  const everybody = 2 ** sites - 1
  // Colluders are the highest places. A list that leaves them in leaves out as many honest ones as it can.
  const listsOf = (site: number): number[] =>
    Array.from({ length: 2 ** sites }, (_, list) => list).filter(
      (list) => (list >> site) & 1 && ones(list) >= least && list >> honest === everybody >> honest,
    )
  const lists = Array.from({ length: honest }, (_, site) => listsOf(site))
  const chosen: number[] = []
  let worst = honest
  const visit = (site: number): void => {
    if (site < honest) {
      for (const list of lists[site]!) {
        chosen[site] = list
        visit(site + 1)
      }
      return
    }
    let [opened, removed] = [0, 0]
    for (let of = 0; of < honest; of++) {
      let [seeds, maskKeys] = [colluders, colluders]
      for (let by = 0; by < honest; by++) {
        if ((chosen[by]! >> of) & 1) seeds += 1
        else if (by !== of) maskKeys += 1
      }
      if (seeds >= threshold && maskKeys >= threshold) worst = 0
      if (seeds >= threshold) opened += 1
      else if (maskKeys >= threshold) removed += 1
    }
    if (opened > 0 && opened + removed === honest) worst = Math.min(worst, opened)
  }
  visit(0)
  return worst
}

function ones(bits: number): number {
  let count = 0
  for (let rest = bits; rest > 0; rest >>= 1) count += rest & 1
  return count
}

describe('thresholds of a sum', () => {
  it.each([
    [3, 0, 0],
    [3, 0, 1],
    [3, 1, 0],
    [4, 0, 1],
    [4, 1, 1],
    [4, 2, 0],
    [5, 0, 1],
    [5, 0, 2],
    [5, 1, 1],
    [5, 2, 1],
    [6, 0, 1],
    [6, 1, 2],
    [6, 3, 1],
  ])('%i sites with %i colluders and %i lost: no lie opens a smaller sum than is promised', (sites, c, d) => {
    const { leastSites, honestInTheSum, shareThreshold } = sumThresholds({ sites, mostColluders: c, mostLost: d })
    expect(worstLie(sites, c, leastSites, shareThreshold)).toBeGreaterThanOrEqual(honestInTheSum)
    expect(honestInTheSum).toBeGreaterThanOrEqual(2)
  })

  it.each([
    [4, 0, 2],
    [5, 1, 2],
    [3, 1, 1],
  ])('%i sites with %i colluders and %i lost are refused, as a lie would open a single update', (sites, c, d) => {
    expect(() => sumThresholds({ sites, mostColluders: c, mostLost: d })).toThrow(/SUM_REFUSED/)
    expect(worstLie(sites, c, sites - d, sites - d)).toBeLessThan(2)
  })

  it('bears one lost site of three where nobody colludes, and none where one does', () => {
    expect(sumThresholds({ sites: 3, mostColluders: 0, mostLost: 1 })).toMatchObject({
      leastSites: 2,
      honestInTheSum: 2,
    })
    expect(sumThresholds({ sites: 3, mostColluders: 1, mostLost: 0 })).toMatchObject({
      leastSites: 3,
      honestInTheSum: 2,
    })
    expect(() => sumThresholds({ sites: 3, mostColluders: 1, mostLost: 1 })).toThrow(/SUM_REFUSED/)
    expect(() => sumThresholds({ sites: 3, mostColluders: 2, mostLost: 0 })).toThrow(/SUM_REFUSED/)
  })

  it('refuses what is no number of sites', () => {
    for (const sites of [2, 1001, 3.5, Number.NaN]) {
      expect(() => sumThresholds({ sites, mostColluders: 0, mostLost: 0 })).toThrow(/SUM_REFUSED/)
    }
    for (const mostLost of [-1, 0.5, Number.NaN]) {
      expect(() => sumThresholds({ sites: 9, mostColluders: 0, mostLost })).toThrow(/SUM_REFUSED/)
    }
  })

  it('counts every honest site that is not lost beyond 32 sites, where all sign one list', () => {
    const thresholds = sumThresholds({ sites: 100, mostColluders: 20, mostLost: 10 })
    expect(thresholds).toMatchObject({ leastSites: 90, honestInTheSum: 70, isComplete: false })
  })
})
