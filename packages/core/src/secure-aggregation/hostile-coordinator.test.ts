import { type SimulatedSite, SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import { beforeEach, describe, expect, it } from 'vitest'
import { openingOf, takeReveal } from './coordinator-opening.ts'
import { addPairMask } from './masks.ts'
import type { Reveal } from './messages.ts'
import { ringBytes, ringZeros } from './ring.ts'
import { answerOpening, leaveSum, maskUpdate } from './site-opening.ts'
import { beginSum, receiveShares, shareSecrets } from './site-shares.ts'

const valuesOf = (place: number): Float64Array => Float64Array.of(place, 1, -place, 2 ** 40, -7)

/** Five sites that have uploaded, and are asked for the first time. */
let sum: SimulatedSum
let victim: SimulatedSite
beforeEach(async () => {
  sum = new SimulatedSum(5)
  sum.advertise()
  await sum.share(sum.sites)
  sum.receive(sum.sites)
  sum.upload(sum.sites, valuesOf)
  victim = sum.at(2)
})

const ask = (survivors: readonly number[], site = victim) =>
  answerOpening(site.state, { ...openingOf(sum.coordinator, sum.primitives), survivors }, site.context)

describe('a list of survivors', () => {
  it.each([
    ['without the site that is asked', [0, 1, 3, 4], /0, 1, 3, 4 without this site, 2/],
    ['with fewer sites than a sum may be of', [0, 1, 2], /0, 1, 2, where at least 4 sites have to be/],
    ['with a site that there is not', [0, 1, 2, 3, 5], /where 5 did not share its secrets/],
    ['out of order', [0, 2, 1, 3], /MESSAGE_INVALID/],
    ['with a site twice', [0, 1, 2, 2, 3], /MESSAGE_INVALID/],
  ])('%s is refused', (_, survivors, message) => {
    expect(() => ask(survivors)).toThrow(message)
  })

  it('is answered to again with the same shares, and another one never', () => {
    const { state, message } = ask([0, 1, 2, 3])
    victim.state = state
    expect(ask([0, 1, 2, 3]).message).toEqual(message)
    expect(() => ask([0, 1, 2, 3, 4])).toThrow(/answered to before/)
    expect(() => ask([0, 1, 2, 4])).toThrow(/answered to before/)
  })

  it('makes a site give the seed of who is on it and the mask key of who is not, of nobody both', () => {
    const { held } = victim.state.received!
    const { shares } = ask([0, 1, 2, 3]).message as Reveal
    const given = new Map(shares.map(({ of, share }) => [of, share]))
    expect(held.map(({ of, seedShare }) => given.get(of) === seedShare)).toEqual([true, true, true, false])
    expect(held.map(({ of, maskKeyShare }) => given.get(of) === maskKeyShare)).toEqual([false, false, false, true])
    expect(given.get(2)).toBe(victim.state.dealt!.ownSeedShare)
  })

  it('of another roster or before an update was sent is refused, and after leaving so is every one', () => {
    const opening = openingOf(sum.coordinator, sum.primitives)
    const other = { ...opening, roster: Buffer.alloc(32, 1).toString('base64url') }
    expect(() => answerOpening(victim.state, other, victim.context)).toThrow(/a list for the roster AQEB/)
    const { maskedSha256: _, ...early } = victim.state
    expect(() => answerOpening(early, opening, victim.context)).toThrow(/before the sum is opened/)
    const left = leaveSum(victim.state)
    expect(JSON.stringify(left)).not.toContain(victim.state.secrets!.seed)
    expect(() => answerOpening(left, opening, victim.context)).toThrow(/one that is over/)
  })
})

describe('an update', () => {
  it('is hidden in the same bytes again, and another one is not hidden behind its masks', () => {
    const again = maskUpdate(victim.state, valuesOf(2), victim.context)
    expect(ringBytes(again.message)).toEqual(ringBytes(sum.masked.get(2)!))
    expect(() => maskUpdate(victim.state, valuesOf(3), victim.context)).toThrow(/in the clear/)
  })

  it('that is no vector of integers of the agreed length is refused', () => {
    const { maskedSha256: _, ...before } = victim.state
    for (const values of [
      Float64Array.of(1),
      Float64Array.of(1, 2, 3, 4, 0.5),
      Float64Array.of(1, 2, 3, 4, Number.NaN),
    ]) {
      expect(() => maskUpdate(before, values, victim.context)).toThrow(/SUM_REFUSED/)
    }
    const { received: __, ...early } = before
    expect(() => maskUpdate(early, valuesOf(2), victim.context)).toThrow(/shares of the others/)
  })
})

describe('a roster', () => {
  const fresh = (quick = true): SimulatedSum => {
    const other = new SimulatedSum(5, { quick })
    other.advertise()
    return other
  }
  const answer = (other: SimulatedSum, advertisements: typeof other.roster.advertisements, site = other.sites[2]!) =>
    shareSecrets(site.state, { advertisements }, site.context)

  it('with a site that is not known, a forged signature or a changed key is refused', async () => {
    const other = fresh()
    const [first, ...rest] = other.roster.advertisements
    const invented = new SimulatedSum(1).sites[0]!.advertisement
    const stranger = { ...invented, site: Buffer.alloc(32, 0).toString('base64url') }
    await expect(answer(other, [stranger, ...other.roster.advertisements])).rejects.toThrow(/not pinned here/)
    const forged = { ...first!, signature: rest[0]!.signature }
    await expect(answer(other, [forged, ...rest])).rejects.toThrow(/signature that is not of its key/)
    const changed = { ...first!, maskKey: Buffer.alloc(32, 9).toString('base64url') }
    await expect(answer(other, [changed, ...rest])).rejects.toThrow(/signature that is not of its key/)
  })

  it('with a site twice, out of order, or two sites with one key is refused', async () => {
    const other = fresh()
    const [first, second, ...rest] = other.roster.advertisements
    await expect(answer(other, [first!, first!, second!, ...rest])).rejects.toThrow(/each site once/)
    await expect(answer(other, [second!, first!, ...rest])).rejects.toThrow(/each site once/)
    await expect(answer(other, [first!, { ...second!, maskKey: first!.maskKey }, ...rest])).rejects.toThrow(
      /each site once/,
    )
  })

  it('without this site, or with keys that it did not make for this attempt, is refused', async () => {
    const other = fresh()
    const without = other.roster.advertisements.filter((_, place) => place !== 2)
    await expect(answer(other, without)).rejects.toThrow(/keys that this site advertised/)
    const site = other.sites[2]!
    const again = beginSum(other.terms, site.context)
    await expect(shareSecrets(again.state, other.roster, site.context)).rejects.toThrow(
      /keys that this site advertised/,
    )
  })

  it('of an earlier attempt or another round does not fit, word for word', async () => {
    const other = fresh()
    for (const terms of [{ attempt: 2 }, { round: 5 }, { mostLost: 2 }, { dimension: 6 }]) {
      const { state } = beginSum({ ...other.terms, ...terms }, other.sites[2]!.context)
      await expect(shareSecrets(state, other.roster, other.sites[2]!.context)).rejects.toThrow(/for this attempt/)
    }
  })

  it('with fewer honest sites than this one counts on is refused, though the run asks for fewer', async () => {
    const other = fresh()
    const site = other.sites[2]!
    const careful = { ...site.context, leastHonest: 5 }
    await expect(shareSecrets(site.state, other.roster, careful)).rejects.toThrow(/at least 5 honest sites/)
    await expect(shareSecrets(site.state, other.roster, site.context)).resolves.toBeDefined()
  })

  it('is answered to once: with the same shares again, and to another one not', async () => {
    const other = fresh()
    const site = other.sites[2]!
    const { state, message } = await answer(other, other.roster.advertisements)
    expect((await shareSecrets(state, other.roster, site.context)).message).toEqual(message)
    const fewer = { advertisements: other.roster.advertisements.slice(1) }
    await expect(shareSecrets(state, fewer, site.context)).rejects.toThrow(/the roster that shares were made for/)
  })

  it('that differs from site to site leaves nobody with the shares of everybody', async () => {
    const other = new SimulatedSum(6)
    other.advertise()
    const { advertisements } = other.roster
    // Two rosters of four and five, which share sites; each site gets the boxes that were made, whoever made them.
    const split = [advertisements.slice(0, 4), advertisements.slice(1)]
    const groups = [other.sites.slice(0, 2), other.sites.slice(2)]
    const messages = new Map<number, Awaited<ReturnType<typeof shareSecrets>>>()
    for (const [group, sites] of groups.entries()) {
      for (const site of sites) {
        messages.set(site.place, await shareSecrets(site.state, { advertisements: split[group]! }, site.context))
      }
    }
    for (const [group, sites] of groups.entries()) {
      const offset = group === 0 ? 0 : 1
      for (const site of sites) {
        const own = messages.get(site.place)!
        const boxes = split[group]!.flatMap((_, from) => {
          if (from + offset === site.place) return []
          const sent = messages.get(from + offset)!.message.boxes
          return [{ from, box: (sent.find(({ to }) => to + offset === site.place) ?? sent[0]!).box }]
        })
        const delivery = { roster: own.message.roster, sharers: split[group]!.map((_, place) => place), boxes }
        expect(() => receiveShares(own.state, delivery, site.context)).toThrow(/does not open/)
      }
    }
  })

  it.each(['maskKey', 'channelKey'] as const)('with a %s of small order is refused', async (which) => {
    const other = new SimulatedSum(4, { quick: false })
    const low = Buffer.from(`01${'00'.repeat(31)}`, 'hex')
    const { context, advertisement } = other.sites[0]!
    // The mask key is made first, the channel key second.
    let made = which === 'maskKey' ? 1 : 0
    const x25519PublicKey = (key: Uint8Array) => (made++ === 1 ? low : other.primitives.x25519PublicKey(key))
    const { message } = beginSum(other.terms, { ...context, primitives: { ...other.primitives, x25519PublicKey } })
    expect(message[which]).toBe(low.toString('base64url'))
    other.sites[0]!.advertisement = message
    expect(() => other.advertise()).toThrow(/SUM_REFUSED.*large order/)
    // A coordinator that lets it pass: whoever computes with the key refuses.
    const advertisements = other.sites.map((site) => site.advertisement).sort((a, b) => (a.site < b.site ? -1 : 1))
    const site = other.sites.find((one) => one.advertisement.site !== advertisement.site)!
    const shared = shareSecrets(site.state, { advertisements }, site.context)
    if (which === 'channelKey') await expect(shared).rejects.toThrow(/large order/)
    const pair = { privateKey: new Uint8Array(32).fill(1), publicKey: message[which], session: message.maskKey }
    const mask = () => addPairMask(ringZeros(1, 32), { ...pair, site: 0, other: 1, sign: 1 }, other.primitives)
    expect(mask).toThrow(/large order/)
  })
})

describe('shares of others', () => {
  it('of another roster, for somebody else, or from somebody else do not open', async () => {
    const boxes = sum.deliveries.get(2)!.boxes
    const { received: _, maskedSha256: __, ...before } = victim.state
    const changed = (at: number, box: string) => ({
      ...sum.deliveries.get(2)!,
      boxes: boxes.map((one, i) => (i === at ? { ...one, box } : one)),
    })
    const others = sum.deliveries.get(3)!.boxes[0]!.box
    expect(() => receiveShares(before, changed(0, others), victim.context)).toThrow(/a box of site 0 .* does not open/)
    expect(() => receiveShares(before, changed(0, boxes[1]!.box), victim.context)).toThrow(/does not open/)
    const again = new SimulatedSum(5, { terms: { attempt: 2 } })
    again.advertise()
    await again.share(again.sites)
    expect(() => receiveShares(before, changed(0, again.deliveries.get(2)!.boxes[0]!.box), victim.context)).toThrow(
      /does not open/,
    )
  })

  it('are taken of everybody or of nobody, and once', () => {
    const delivery = sum.deliveries.get(2)!
    const { received: _, maskedSha256: __, ...before } = victim.state
    const missing = { ...delivery, boxes: delivery.boxes.slice(1) }
    expect(() => receiveShares(before, missing, victim.context)).toThrow(/everybody in the roster/)
    const fewer = { ...missing, sharers: delivery.sharers.slice(1) }
    expect(() => receiveShares(before, fewer, victim.context)).toThrow(/everybody in the roster/)
    expect(receiveShares(victim.state, delivery, victim.context)).toBe(victim.state)
  })
})

describe('wrong shares', () => {
  it('of a survivor are found out and left out, and the sum is opened with those of the others', async () => {
    sum.ask(sum.sites.slice(1))
    const liar = sum.at(0)
    const { message } = ask([0, 1, 2, 3, 4], liar)
    const wrong = {
      ...(message as Reveal),
      shares: (message as Reveal).shares.map((one) => ({ ...one, share: flipped(one.share) })),
    }
    sum.coordinator = takeReveal(sum.coordinator, 0, wrong, sum.primitives)
    expect(sum.coordinator.reveals[0]).toEqual({ by: 0, shares: [], wrong: [0, 1, 2, 3, 4] })
    expect(await sum.open()).toEqual(Float64Array.of(10, 5, -10, 5 * 2 ** 40, -35))
  })

  it('of an owner, who shared another secret than it advertised, end the sum, and name it', async () => {
    const other = new SimulatedSum(5)
    other.advertise()
    const cheat = other.at(1)
    cheat.state = {
      ...cheat.state,
      secrets: { ...cheat.state.secrets!, seed: Buffer.alloc(32, 5).toString('base64url') },
    }
    await other.share(other.sites)
    other.receive(other.sites)
    other.upload(other.sites, valuesOf)
    other.ask(other.sites)
    await expect(other.open()).rejects.toThrow(/SUM_ABORTED.*shares of site 1/)
  })
})

function flipped(text: string): string {
  const bytes = Buffer.from(text, 'base64url')
  bytes[0]! ^= 1
  return bytes.toString('base64url')
}
