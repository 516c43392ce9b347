import { hostileMessage } from '@fedsvd/testing/core/hostile-messages'
import { SimulatedSum } from '@fedsvd/testing/core/secure-aggregation'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { isFedsvdError } from '../errors.ts'
import { openingOf, takeConfirmation, takeReveal } from './coordinator-opening.ts'
import { takeAdvertisement, takeShares } from './coordinator-shares.ts'
import { answerOpening } from './site-opening.ts'
import { receiveShares, shareSecrets } from './site-shares.ts'

/*
 * Messages that are nearly right, and ones that are not at all: whoever gets one takes it for what it is or refuses it
 * from the catalogue, and goes on from the same state. fast-check would show the smallest one that does anything else.
 */
const SEED = 20_261_130
const RUNS = 300

let sum: SimulatedSum
/** The coordinator as it was before the last message of each kind. */
let before: Record<'advertising' | 'sharing' | 'opening', SimulatedSum['coordinator']>
beforeAll(async () => {
  sum = new SimulatedSum(4, { terms: { mostLost: 1 } })
  const advertising = sum.coordinator
  sum.advertise()
  const sharing = sum.coordinator
  await sum.share(sum.sites)
  sum.receive(sum.sites)
  sum.upload(sum.sites, () => Float64Array.of(1, 2, 3, 4, 5))
  before = { advertising, sharing, opening: sum.coordinator }
})

/** Rejects unless every hostile message is taken or refused; says how many were refused. */
async function refusalsOf(good: () => unknown, take: (message: unknown) => unknown): Promise<number> {
  let refusals = 0
  await fc.assert(
    fc.asyncProperty(hostileMessage(good()), async (message) => {
      try {
        await take(message)
      } catch (error) {
        refusals += 1
        if (!isFedsvdError(error, 'MESSAGE_INVALID') && !isFedsvdError(error, 'SUM_REFUSED')) throw error
      }
    }),
    { numRuns: RUNS, seed: SEED },
  )
  return refusals
}

describe('hostile messages', () => {
  it('to a site: rosters, deliveries and lists of survivors', async () => {
    const { state, context, place } = sum.at(1)
    const untouched = JSON.stringify(state)
    const { dealt: _, received: __, maskedSha256: ___, ...fresh } = state
    const dealtOnly = { ...fresh, dealt: state.dealt! }
    const opening = () => openingOf(sum.coordinator, sum.primitives)
    const counts = [
      await refusalsOf(
        () => sum.roster,
        (message) => shareSecrets(fresh, message, context),
      ),
      await refusalsOf(
        () => sum.deliveries.get(place),
        (message) => receiveShares(dealtOnly, message, context),
      ),
      await refusalsOf(opening, (message) => answerOpening(state, message, context)),
    ]
    expect(Math.min(...counts)).toBeGreaterThan(RUNS / 2)
    expect(JSON.stringify(state)).toBe(untouched)
  })

  it('to the coordinator: advertisements, shares, confirmations and reveals', async () => {
    const { primitives } = sum
    const { state, context, advertisement, place } = sum.at(1)
    const opening = openingOf(before.opening, primitives)
    const reveal = () => answerOpening(state, opening, context).message
    const confirmation = () => ({ kind: 'confirmation', roster: opening.roster, signature: advertisement.signature })
    const counts = [
      await refusalsOf(
        () => advertisement,
        (message) => takeAdvertisement(before.advertising, message, { knownSites: context.knownSites, primitives }),
      ),
      await refusalsOf(
        () => state.dealt!.message,
        (message) => takeShares(before.sharing, place, message, primitives),
      ),
      await refusalsOf(reveal, (message) => takeReveal(before.opening, place, message, primitives)),
      await refusalsOf(confirmation, (message) => takeConfirmation(before.opening, place, message, primitives)),
    ]
    expect(Math.min(...counts)).toBeGreaterThan(RUNS / 2)
  })
})
