import { SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import { describe, expect, it } from 'vitest'
import { RandomBits, seededSource, uniformBelow } from '../random/index.ts'
import { openingOf } from './coordinator-opening.ts'
import { DurableSite } from './durable-site.ts'
import { answerOpening, maskUpdate } from './site-opening.ts'
import { beginSum } from './site-shares.ts'
import type { SiteState } from './site-state.ts'

const valuesOf = (place: number): Float64Array => Float64Array.of(place, 1, -place, 2 ** 40, -7)

/** A disk whose next writes can fail, before or after the state is on it; a crash leaves what is on it. */
class Disk {
  state: SiteState
  fails: 'before' | 'after' | undefined

  constructor(state: SiteState) {
    this.state = state
  }

  readonly save = async (state: SiteState): Promise<void> => {
    const { fails } = this
    this.fails = undefined
    if (fails === 'before') throw new Error('killed before the write')
    await Promise.resolve()
    this.state = JSON.parse(JSON.stringify(state)) as SiteState
    if (fails === 'after') throw new Error('killed after the write')
  }
}

describe('a site whose process is killed at any moment', () => {
  it('never gives both shares of a peer, whatever lists a coordinator sends and how often', async () => {
    const bits = RandomBits.from(seededSource('crashes'))
    let [kills, refusals, lists] = [0, 0, 0]
    for (let run = 0; run < 12; run++) {
      const sum = new SimulatedSum(5)
      sum.advertise()
      await sum.share(sum.sites)
      sum.receive(sum.sites)
      sum.upload(sum.sites, valuesOf)
      const { state, context, place } = sum.sites[run % 5]!
      const disk = new Disk(state)
      let site = new DurableSite(state, disk.save)
      /** What has ever left the site, by the peer that it is about. */
      const given = new Map<number, Set<string>>()
      for (let question = 0; question < 30; question++) {
        const lost = uniformBelow(bits, 6)
        const survivors = [0, 1, 2, 3, 4].filter((at) => at !== lost || at === place)
        const opening = { ...openingOf(sum.coordinator, sum.primitives), survivors }
        disk.fails = ([undefined, 'before', 'after'] as const)[uniformBelow(bits, 3)]
        try {
          const { message } = await site.step((now) => answerOpening(now, opening, context))
          lists += 1
          if (message.kind !== 'reveal') throw new Error('a complete graph asks for no confirmation')
          for (const { of, share } of message.shares) given.set(of, (given.get(of) ?? new Set()).add(share))
        } catch (error) {
          if (/killed/.test(String(error))) {
            kills += 1
            // Half of the time the process lives on with its memory, and half of the time it starts from the disk.
            if (uniformBelow(bits, 2) === 0) site = new DurableSite(disk.state, disk.save)
          } else refusals += 1
        }
        disk.fails = undefined
      }
      expect([...given.values()].every((shares) => shares.size === 1)).toBe(true)
    }
    expect(Math.min(kills, refusals, lists)).toBeGreaterThan(20)
  })

  it('would give both if it sent before it stored', async () => {
    const sum = new SimulatedSum(5)
    sum.advertise()
    await sum.share(sum.sites)
    sum.receive(sum.sites)
    sum.upload(sum.sites, valuesOf)
    const { state, context } = sum.at(2)
    const opening = openingOf(sum.coordinator, sum.primitives)
    const sent = [
      [0, 1, 2, 3],
      [0, 1, 2, 4],
    ].map((survivors) => answerOpening(state, { ...opening, survivors }, context).message)
    expect(sent[0]).not.toEqual(sent[1])
  })

  it('has its keys on the disk before it advertises them', async () => {
    const sum = new SimulatedSum(3)
    const { context } = sum.sites[0]!
    const first = beginSum(sum.terms, context)
    const disk = new Disk(sum.sites[1]!.state)
    disk.fails = 'before'
    await expect(DurableSite.begin(first, disk.save)).rejects.toThrow(/killed/)
    const { site, message } = await DurableSite.begin(first, disk.save)
    expect(message).toBe(first.message)
    expect(disk.state).toEqual(site.state)
    expect(disk.state.secrets).toEqual(first.state.secrets)
  })

  it('makes one transition at a time, each from the newest state', async () => {
    const sum = new SimulatedSum(3)
    sum.advertise()
    await sum.share(sum.sites)
    sum.receive(sum.sites)
    const { state, context } = sum.at(0)
    const disk = new Disk(state)
    const site = new DurableSite(state, disk.save)
    const hide = (values: Float64Array) => site.step((now) => maskUpdate(now, values, context))
    const [first, second] = await Promise.allSettled([hide(valuesOf(0)), hide(valuesOf(1))])
    expect(first.status).toBe('fulfilled')
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'SUM_REFUSED' } })
    expect(disk.state).toEqual(site.state)
  })

  it('has its masked update made again, bit for bit, from what is on the disk', async () => {
    const sum = new SimulatedSum(3)
    sum.advertise()
    await sum.share(sum.sites)
    sum.receive(sum.sites)
    const { state, context } = sum.at(0)
    const disk = new Disk(state)
    const { message } = await new DurableSite(state, disk.save).step((now) => maskUpdate(now, valuesOf(0), context))
    const again = await new DurableSite(disk.state, disk.save).step((now) => maskUpdate(now, valuesOf(0), context))
    expect(again.message).toEqual(message)
  })
})
