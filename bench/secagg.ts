/**
 * What a secure sum costs: milliseconds of processor time of one site and of the coordinator, and bytes of one site
 * against an update in the clear (float32). Every phase is run with the real cryptography, and each sum is checked.
 *
 *   npm run bench:secagg -- [--json] [--sites 3,10,100,500] [--dimensions 41000,1000000] [--lost 0,10,30] [--bits 32]
 *
 * A fifth of the sites may collude from ten sites on; a run bears as many lost ones as are lost, and a tenth at least
 * from ten sites on. Losses come after the shares and before the uploads, where each costs most. Masked updates are
 * made when the coordinator reads them, so that hundreds of large ones need no memory.
 */
import { generateKeyPairSync } from 'node:crypto'
import { parseArgs } from 'node:util'
import {
  answerOpening,
  beginCollection,
  beginSum,
  type CoordinatorState,
  closeRoster,
  closeSharing,
  closeUploads,
  degreeFor,
  isConfirmed,
  maskUpdate,
  openingOf,
  openSum,
  pinnedSites,
  type RingVector,
  receiveShares,
  type SiteState,
  type SumTerms,
  shareSecrets,
  sumThresholds,
  takeAdvertisement,
  takeConfirmation,
  takeMasked,
  takeReveal,
  takeShares,
} from '../packages/core/src/secure-aggregation/index.ts'
import { nodePrimitives as primitives, signerOf } from '../packages/engine/src/crypto/index.ts'

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    sites: { type: 'string', default: '3,10,100,500' },
    dimensions: { type: 'string', default: '41000,1000000' },
    lost: { type: 'string', default: '0,10,30' },
    bits: { type: 'string', default: '32' },
  },
})

const numbers = (text: string): number[] => text.split(',').map(Number)

/** Processor time of what each party does, in milliseconds. */
class Times {
  readonly #spent = new Map<string, number>()

  async of<T>(who: string, work: () => T | Promise<T>): Promise<T> {
    const before = process.cpuUsage()
    const result = await work()
    const { user, system } = process.cpuUsage(before)
    this.add(who, (user + system) / 1000)
    return result
  }

  add(who: string, milliseconds: number): void {
    this.#spent.set(who, (this.#spent.get(who) ?? 0) + milliseconds)
  }

  spent(who: string): number {
    return this.#spent.get(who) ?? 0
  }
}

interface Case {
  readonly sites: number
  readonly dimension: number
  readonly lostPercent: number
}

const SITE_STEPS = ['keys', 'shares', 'delivery', 'mask', 'opening'] as const

async function measured({ sites, dimension, lostPercent }: Case): Promise<object> {
  const lost = Math.round((sites * lostPercent) / 100)
  const mostColluders = sites < 10 ? 0 : Math.floor(sites / 5)
  const mostLost = Math.max(lost, sites < 10 ? 0 : Math.round(sites / 10))
  const thresholds = sumThresholds({ sites, mostColluders, mostLost })
  const terms: SumTerms = {
    runId: '0a7a5a3e-6f1d-4c7e-9d57-0d3b8c5f1a11',
    manifestSha256: 'ab'.repeat(32),
    round: 0,
    attempt: 1,
    dimension,
    modulusBits: given.bits === '64' ? 64 : 32,
    mostColluders,
    mostLost,
    leastHonest: thresholds.honestInTheSum,
  }
  const times = new Times()
  let bytes = 0
  const sent = (message: unknown): void => {
    bytes += JSON.stringify(message).length
  }

  const signers = Array.from({ length: sites }, () => signerOf(generateKeyPairSync('ed25519').privateKey))
  const knownSites = pinnedSites(signers.map(({ publicKey }) => publicKey))
  signers.sort((a, b) => (a.publicKey < b.publicKey ? -1 : 1))
  const contexts = signers.map((signer) => ({ primitives, signer, knownSites, leastHonest: 2 }))
  let coordinator: CoordinatorState = beginCollection(terms)
  const states: SiteState[] = []
  for (const context of contexts) {
    const { state, message } = await times.of('keys', () => beginSum(terms, context))
    states.push(state)
    sent(message)
    coordinator = await times.of('coordinator', () =>
      takeAdvertisement(coordinator, message, { knownSites, primitives }),
    )
  }
  const roster = await times.of('coordinator', () => closeRoster(coordinator, primitives))
  coordinator = roster.state
  for (const [place, context] of contexts.entries()) {
    const { state, message } = await times.of('shares', () => shareSecrets(states[place]!, roster.message, context))
    states[place] = state
    sent(message)
    coordinator = await times.of('coordinator', () => takeShares(coordinator, place, message, primitives))
  }
  const sharing = await times.of('coordinator', () => closeSharing(coordinator, primitives))
  coordinator = sharing.state
  for (const [place, context] of contexts.entries()) {
    states[place] = await times.of('delivery', () =>
      receiveShares(states[place]!, sharing.messages.get(place), context),
    )
  }

  const valuesOf = (place: number) => new Float64Array(dimension).fill(place)
  const survivors = contexts.map((_, place) => place).slice(lost)
  const maskedOf = async (place: number): Promise<RingVector> => {
    const values = valuesOf(place)
    const { state, message } = await times.of('mask', () => maskUpdate(states[place]!, values, contexts[place]!))
    states[place] = state
    return message
  }
  // The first makes the states that answers need; what it masks is thrown away, and made again when it is read.
  for (const place of survivors) states[place] = { ...states[place]!, maskedSha256: (await stateAfterMask(place))! }
  async function stateAfterMask(place: number): Promise<string | undefined> {
    return maskUpdate(states[place]!, valuesOf(place), contexts[place]!).state.maskedSha256
  }
  for (const place of survivors) coordinator = takeMasked(coordinator, place)
  coordinator = await times.of('coordinator', () => closeUploads(coordinator, primitives))
  for (let asked = 0; asked < (thresholds.isComplete ? 1 : 2); asked++) {
    const opening = await times.of('coordinator', () => openingOf(coordinator, primitives))
    for (const place of survivors) {
      const { state, message } = await times.of('opening', () =>
        answerOpening(states[place]!, opening, contexts[place]!),
      )
      states[place] = state
      sent(message)
      const take = message.kind === 'reveal' ? takeReveal : takeConfirmation
      coordinator = await times.of('coordinator', () => take(coordinator, place, message, primitives))
    }
  }
  if (!isConfirmed(coordinator, primitives)) throw new Error('the survivors are not confirmed')
  const sum = await times.of('opened', () => openSum(coordinator, maskedOf, primitives))
  const expected = survivors.reduce((total, place) => total + place, 0)
  if (!sum.every((value) => value === expected)) throw new Error('the sum is wrong')

  const plain = new Float64Array(dimension)
  const update = new Float32Array(dimension).fill(1)
  await times.of('plain', () => {
    for (const _ of survivors) for (let i = 0; i < dimension; i++) plain[i]! += update[i]!
  })
  const perSite = Object.fromEntries(
    SITE_STEPS.map((step) => {
      const among = step === 'mask' || step === 'opening' ? survivors.length : sites
      return [step, round(times.spent(step) / among)]
    }),
  )
  const maskedBytes = (dimension * terms.modulusBits) / 8
  return {
    sites,
    dimension,
    lostPercent,
    neighbours: thresholds.neighbours,
    shareThreshold: thresholds.shareThreshold,
    honestInTheSum: thresholds.honestInTheSum,
    modulusBits: terms.modulusBits,
    siteMs: round(Object.values(perSite).reduce((total, step) => total + step, 0)),
    siteStepsMs: perSite,
    coordinatorMs: round(times.spent('coordinator') + times.spent('opened') - times.spent('mask')),
    plainMs: round(times.spent('plain')),
    bytesOfSite: Math.round(maskedBytes + bytes / sites),
    bytesOverPlain: round((maskedBytes + bytes / sites) / (4 * dimension), 4),
  }
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}

// Everything once before anything is measured.
await measured({ sites: 4, dimension: 100_000, lostPercent: 25 })
const cases: object[] = []
for (const sites of numbers(given.sites)) {
  for (const dimension of numbers(given.dimensions)) {
    for (const lostPercent of numbers(given.lost)) {
      const tolerance = {
        sites,
        mostColluders: Math.floor(sites / 5),
        mostLost: Math.round((sites * lostPercent) / 100),
      }
      if (sites > 32 && degreeFor(tolerance) === undefined) continue
      const one = await measured({ sites, dimension, lostPercent })
      cases.push(one)
      if (!given.json) console.log(JSON.stringify(one))
    }
  }
}
if (given.json) console.log(JSON.stringify({ cases }, undefined, 2))
