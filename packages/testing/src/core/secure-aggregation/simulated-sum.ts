import { generateKeyPairSync } from 'node:crypto'
import {
  type Advertisement,
  answerOpening,
  beginCollection,
  beginSum,
  type CoordinatorState,
  closeRoster,
  closeSharing,
  closeUploads,
  type Delivery,
  maskUpdate,
  openingOf,
  openSum,
  type Primitives,
  pinnedSites,
  type RingVector,
  type RosterMessage,
  receiveShares,
  type Signer,
  type SiteContext,
  type SiteState,
  type SumTerms,
  shareSecrets,
  takeAdvertisement,
  takeConfirmation,
  takeMasked,
  takeReveal,
  takeShares,
} from '@fedsvd/core/secure-aggregation'
import { nodePrimitives, signerOf } from '@fedsvd/engine/crypto'
import { quickPrimitives, quickSigner } from './quick-primitives.ts'

/** What both sides would find on their disks. */
function stored<State>(state: State): State {
  return JSON.parse(JSON.stringify(state)) as State
}

export const SUM_TERMS: SumTerms = {
  runId: '0a7a5a3e-6f1d-4c7e-9d57-0d3b8c5f1a11',
  manifestSha256: 'ab'.repeat(32),
  round: 4,
  attempt: 1,
  dimension: 5,
  modulusBits: 64,
  mostColluders: 0,
  mostLost: 1,
  leastHonest: 2,
}

export interface SimulatedSite {
  readonly context: SiteContext
  state: SiteState
  advertisement: Advertisement
  place: number
}

/**
 * Sites and a coordinator of one attempt in this process, phase by phase. After every step a state is what JSON makes
 * of it, as it is after a crash.
 */
export class SimulatedSum {
  readonly terms: SumTerms
  readonly primitives: Primitives
  readonly sites: SimulatedSite[]
  readonly masked = new Map<number, RingVector>()
  roster!: RosterMessage
  deliveries!: ReadonlyMap<number, Delivery>
  coordinator: CoordinatorState

  constructor(count: number, options: { terms?: Partial<SumTerms>; quick?: boolean } = {}) {
    this.terms = { ...SUM_TERMS, ...options.terms }
    this.primitives = options.quick === false ? nodePrimitives : quickPrimitives
    const signers = Array.from({ length: count }, (_, i) => signerFor(i, options.quick === false))
    const knownSites = pinnedSites(signers.map(({ publicKey }) => publicKey))
    this.coordinator = beginCollection(this.terms)
    this.sites = signers.map((signer) => {
      const context = { primitives: this.primitives, signer, knownSites, leastHonest: 2 }
      const { state, message } = beginSum(this.terms, context)
      return { context, state: stored(state), advertisement: message, place: -1 }
    })
  }

  /** Those that advertised make the roster; afterwards `sites` are in its order. */
  advertise(present: readonly SimulatedSite[] = this.sites): void {
    const { primitives } = this
    const { knownSites } = this.sites[0]!.context
    for (const { advertisement } of present) {
      this.coordinator = stored(takeAdvertisement(this.coordinator, advertisement, { knownSites, primitives }))
    }
    const { state, message } = closeRoster(this.coordinator, primitives)
    this.coordinator = stored(state)
    this.roster = message
    for (const site of present) {
      site.place = message.advertisements.findIndex(({ site: key }) => key === site.advertisement.site)
    }
    this.sites.sort((a, b) => a.place - b.place)
  }

  at(place: number): SimulatedSite {
    return this.sites.find((site) => site.place === place)!
  }

  async share(present: readonly SimulatedSite[]): Promise<void> {
    for (const site of present) {
      const { state, message } = await shareSecrets(site.state, this.roster, site.context)
      site.state = stored(state)
      this.coordinator = stored(takeShares(this.coordinator, site.place, message, this.primitives))
    }
    const { state, messages } = closeSharing(this.coordinator, this.primitives)
    this.coordinator = stored(state)
    this.deliveries = messages
  }

  receive(present: readonly SimulatedSite[]): void {
    for (const site of present) {
      site.state = stored(receiveShares(site.state, this.deliveries.get(site.place), site.context))
    }
  }

  upload(present: readonly SimulatedSite[], valuesOf: (place: number) => Float64Array): void {
    for (const site of present) {
      const { state, message } = maskUpdate(site.state, valuesOf(site.place), site.context)
      site.state = stored(state)
      this.masked.set(site.place, message)
      this.coordinator = stored(takeMasked(this.coordinator, site.place))
    }
    this.coordinator = stored(closeUploads(this.coordinator, this.primitives))
  }

  /** One question to those who are there; on a drawn graph the first is for signatures, the second for shares. */
  ask(present: readonly SimulatedSite[]): void {
    const opening = openingOf(this.coordinator, this.primitives)
    for (const site of present) {
      const { state, message } = answerOpening(site.state, opening, site.context)
      site.state = stored(state)
      const take = message.kind === 'reveal' ? takeReveal : takeConfirmation
      this.coordinator = stored(take(this.coordinator, site.place, message, this.primitives))
    }
  }

  open(): Promise<Float64Array> {
    return openSum(this.coordinator, (place) => this.masked.get(place)!, this.primitives)
  }
}

function signerFor(index: number, isReal: boolean): Signer {
  return isReal ? signerOf(generateKeyPairSync('ed25519').privateKey) : quickSigner(`site ${index}`)
}
