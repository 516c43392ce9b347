import { SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import { describe, expect, it } from 'vitest'
import { isFedsvdError } from '../errors.ts'
import { chosen, RandomBits, seededSource } from '../random/index.ts'
import { closeUploads, openingOf, takeConfirmation, takeMasked, takeReveal } from './coordinator-opening.ts'
import type { CoordinatorState } from './coordinator-state.ts'
import { missingShares, openSum } from './open-sum.ts'
import { answerOpening, maskUpdate } from './site-opening.ts'
import { receiveShares } from './site-shares.ts'

const DIMENSION = 5
/** Whole numbers of both signs, near zero and far from it. */
const valuesOf = (place: number): Float64Array =>
  Float64Array.from({ length: DIMENSION }, (_, i) => (i % 2 === 0 ? 1 : -1) * (place + 1) * 1000 ** i)

function sumOf(places: readonly number[]): Float64Array {
  const sum = new Float64Array(DIMENSION)
  for (const place of places) {
    valuesOf(place).forEach((value, i) => {
      sum[i]! += value
    })
  }
  return sum
}

function subsetsOf(places: readonly number[]): number[][] {
  return Array.from({ length: 2 ** places.length }, (_, bits) => places.filter((_, i) => (bits >> i) & 1))
}

describe('a sum on the complete graph', () => {
  it.each([
    [3, 0, 0, 32],
    [3, 0, 1, 64],
    [3, 1, 0, 64],
    [4, 0, 1, 64],
    [5, 0, 2, 32],
    [5, 1, 1, 64],
    [6, 0, 2, 64],
    [6, 1, 2, 32],
  ] as const)(
    'of %i sites (%i colluding, %i lost) is that of the survivors, exactly, in every pattern of losses',
    async (count, mostColluders, mostLost, modulusBits) => {
      const sum = new SimulatedSum(count, { terms: { mostColluders, mostLost, modulusBits } })
      sum.advertise()
      await sum.share(sum.sites)
      sum.receive(sum.sites)
      const before = sum.coordinator
      sum.upload(sum.sites, modulusBits === 32 ? (place) => valuesOf(place).map((x) => x % 2 ** 27) : valuesOf)
      let [opened, aborted] = [0, 0]
      for (const survivors of subsetsOf(sum.sites.map(({ place }) => place))) {
        const uploaded = survivors.reduce(takeMasked, before)
        if (survivors.length < count - mostLost) {
          expect(() => closeUploads(uploaded, sum.primitives)).toThrow(/SUM_ABORTED/)
          aborted += 1
          continue
        }
        const closed = closeUploads(uploaded, sum.primitives)
        const opening = openingOf(closed, sum.primitives)
        // Each pattern begins with the same states, of sites that have not answered to anything yet.
        const reveals = new Map(
          survivors.map((place) => {
            const { state, context } = sum.at(place)
            return [place, answerOpening(state, opening, context).message]
          }),
        )
        for (const answering of subsetsOf(survivors)) {
          const state = answering.reduce<CoordinatorState>(
            (next, place) => takeReveal(next, place, reveals.get(place), sum.primitives),
            closed,
          )
          const open = () => openSum(state, (place) => sum.masked.get(place)!, sum.primitives)
          if (answering.length < count - mostLost) {
            expect(missingShares(state, sum.primitives).length).toBeGreaterThan(0)
            await expect(open()).rejects.toThrow(/SUM_ABORTED/)
            aborted += 1
          } else {
            const expected = modulusBits === 32 ? wrapped(survivors) : sumOf(survivors)
            expect(await open()).toEqual(expected)
            opened += 1
          }
        }
      }
      expect([opened, aborted].every((patterns) => patterns > 0)).toBe(true)
    },
  )

  it('is begun anew where a site is lost before it has shared, and nothing of an update was sent', async () => {
    const sum = new SimulatedSum(4)
    sum.advertise()
    await expect(sum.share(sum.sites.slice(1))).rejects.toThrow(/SUM_ABORTED/)
    const rest = new SimulatedSum(4, { terms: { attempt: 2 } })
    rest.advertise(rest.sites.slice(1))
    const present = rest.sites.filter(({ place }) => place >= 0)
    await rest.share(present)
    rest.receive(present)
    rest.upload(present, valuesOf)
    rest.ask(present)
    expect(await rest.open()).toEqual(sumOf([0, 1, 2]))
  })

  it('is not begun with fewer sites than it was agreed for', () => {
    const sum = new SimulatedSum(4, { terms: { leastHonest: 3 } })
    expect(() => sum.advertise(sum.sites.slice(1))).toThrow(/SUM_REFUSED: expected enough sites for 3 honest ones/)
  })
})

/** The sum of what fits into 32 bits. */
function wrapped(places: readonly number[]): Float64Array {
  const sum = new Float64Array(DIMENSION)
  for (const place of places) {
    valuesOf(place).forEach((value, i) => {
      sum[i]! += value % 2 ** 27
    })
  }
  return sum
}

describe('a sum on a drawn graph', () => {
  it('is that of the survivors, exactly, whoever is lost at whichever phase', async () => {
    const bits = RandomBits.from(seededSource('drop-outs'))
    const places = Array.from({ length: 34 }, (_, place) => place)
    const terms = { mostColluders: 4, mostLost: 4 }
    for (let pattern = 0; pattern < 2; pattern++) {
      const sum = new SimulatedSum(places.length, { terms })
      sum.advertise()
      const gone = chosen(bits, places, 4)
      // One is lost before sharing, one before its upload, one before it signs, one before it reveals.
      const present = (lost: number) => sum.sites.filter(({ place }) => !gone.slice(0, lost).includes(place))
      await sum.share(present(1))
      sum.receive(present(1))
      sum.upload(present(2), valuesOf)
      sum.ask(present(3))
      expect(sum.coordinator.confirmations).toHaveLength(31)
      sum.ask(present(4))
      expect(missingShares(sum.coordinator, sum.primitives)).toEqual([])
      expect(await sum.open()).toEqual(sumOf(present(2).map(({ place }) => place)))
    }
  })

  it('is not opened with fewer signatures than it takes, and nobody reveals anything', async () => {
    const sum = new SimulatedSum(34, { terms: { mostColluders: 4, mostLost: 4 } })
    sum.advertise()
    await sum.share(sum.sites)
    sum.receive(sum.sites)
    sum.upload(sum.sites, valuesOf)
    sum.ask(sum.sites.slice(0, 29))
    const signed = sum.coordinator.confirmations
    expect(signed).toHaveLength(29)
    const asked = { ...openingOf(sum.coordinator, sum.primitives), confirmations: [...signed] }
    const { state, context } = sum.sites[0]!
    expect(() => answerOpening(state, asked, context)).toThrow(/confirmed by 30 sites/)
    // A signature twice, one of another text, and one under another name do not make up for the thirtieth.
    const forged = [
      { by: 29, signature: signed[0]!.signature },
      { by: 29, signature: Buffer.alloc(64, 7).toString('base64url') },
    ]
    for (const forgery of forged) {
      const more = { ...asked, confirmations: [...signed, forgery] }
      expect(() => answerOpening(state, more, context)).toThrow(/confirmed by 30 sites/)
    }
    await expect(sum.open()).rejects.toSatisfy((error) => isFedsvdError(error, 'SUM_ABORTED'))

    // A site that was told of other sharers signs another session: its word counts for nothing in this one.
    const { received: _, maskedSha256: __, survivors: ___, ...before } = sum.sites[33]!.state
    const delivery = sum.deliveries.get(33)!
    const fewer = { sharers: delivery.sharers.slice(1), boxes: delivery.boxes.filter(({ from }) => from !== 0) }
    const misled = receiveShares(before, { ...delivery, ...fewer }, sum.sites[33]!.context)
    const hidden = maskUpdate(misled, valuesOf(33), sum.sites[33]!.context).state
    const opening = openingOf(sum.coordinator, sum.primitives)
    expect(() => answerOpening(hidden, opening, sum.sites[33]!.context)).toThrow(/where 0 did not share/)
    const list = { ...opening, survivors: opening.survivors.slice(1) }
    const { message } = answerOpening(hidden, list, sum.sites[33]!.context)
    expect(() => takeConfirmation(sum.coordinator, 33, message, sum.primitives)).toThrow(/signs the list/)
  })
})
