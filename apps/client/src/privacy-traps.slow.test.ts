import { appendFileSync, copyFileSync, readdirSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { pld, scheduledSteps } from '@fedsvd/core/accounting'
import { deltaWithoutMisses, gridOf, gridSigma } from '@fedsvd/core/privacy'
import {
  challengeRequestSchema,
  clientHandshakeSchema,
  enrolRequestSchema,
  invitationReplySchema,
  ledgerReportPartSchema,
  ledgerReportSchema,
  offerReplySchema,
  type PrivacyTerms,
  type RunManifest,
  roundFailedSchema,
} from '@fedsvd/core/protocol'
import { seededSource } from '@fedsvd/core/random'
import { CoordinatorDouble, type Peer } from '@fedsvd/testing/client/coordinator-double'
import { labelOf } from '@fedsvd/testing/client/fake-engine'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { type RunningSite, type SiteOptions, startSite } from '@fedsvd/testing/client/running-site'
import { BUDGET, FINGERPRINT, RUN_B, sampleManifest } from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openLedger, showLedger } from './ledger/index.ts'

/*
 * The traps of the field that belong to a client, each with the figure that it would get wrong. A run here has 1,212
 * trained numbers, so the noise of one update can be measured: its standard deviation is known to about 2 %.
 */
const WIDE = {
  rank: 2,
  alpha: 2,
  layers: [{ name: 'layer', dIn: 4, dOut: 600 }],
  head: [
    { name: 'head.weight', shape: [2, 5] },
    { name: 'head.bias', shape: [2] },
  ],
  headMode: 'trained' as const,
}
const DIMENSION = 2 * 600 + 10 + 2
const wide = (changes: Partial<RunManifest> = {}) => sampleManifest({ adapter: WIDE, ...changes })

let folder: TemporaryFolder
let double: CoordinatorDouble
beforeEach(() => {
  folder = temporaryFolder()
  double = new CoordinatorDouble()
})
afterEach(() => folder[Symbol.dispose]())

const start = (options: Partial<SiteOptions> = {}) =>
  startSite({ folder: folder.path, transport: loopbackTransport(double), ...options })
const stateDir = () => join(folder.path, 'state')

async function agree(peer: Peer, manifest: RunManifest): Promise<PrivacyTerms> {
  const reply = await peer.offer(manifest)
  if (!reply.accepted) throw new Error(`declined: ${JSON.stringify(reply.error)}`)
  return reply.terms
}

/** Trains one round and returns the update. */
async function train(site: RunningSite, peer: Peer, manifest: RunManifest, round: number): Promise<number[]> {
  const before = site.events.filter(({ event }) => event === 'round-delivered').length
  await peer.invite(double.invitation(manifest, round))
  await site.told('round-delivered', before + 1)
  const { tensors } = await double.received(manifest, round, peer.clientId)
  return tensors.flatMap(({ data }) => [...data])
}

/** What the noise alone makes of an update: learningRate * sqrt(steps) * sigma * grid / expected lot. */
function noiseOf(
  { clipNorm, learningRate, localSteps, expectedLotSize }: RunManifest,
  { noiseMultiplier }: PrivacyTerms,
) {
  const sigma = gridSigma({ noiseMultiplier, dimension: DIMENSION }) * gridOf(clipNorm)
  return (learningRate * Math.sqrt(localSteps) * sigma) / expectedLotSize
}

function standardDeviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1))
}

/** Accepts the right noise (7 standard errors of 2 % each way) and rejects two thirds and one and a half of it. */
function expectNoise(update: readonly number[], manifest: RunManifest, terms: PrivacyTerms): void {
  const ratio = standardDeviation(update) / noiseOf(manifest, terms)
  expect(ratio).toBeGreaterThan(0.86)
  expect(ratio).toBeLessThan(1.14)
}

describe('trap: noise that is switched off', () => {
  it('after a restart, silently (engine made only in round 0)', async () => {
    const manifest = wide()
    for (const round of [0, 1, 2]) {
      await using site = await start({ silent: true })
      const peer = await double.peer()
      const terms = await agree(peer, manifest)
      expectNoise(await train(site, peer, manifest, round), manifest, terms)
    }
    expect(showLedger(stateDir())[0]).toMatchObject({ reservations: 3, steps: 15 })
  })

  it('for a client that joins late', async () => {
    const manifest = wide()
    await using site = await start({ silent: true })
    const peer = await double.peer()
    const terms = await agree(peer, manifest)
    expectNoise(await train(site, peer, manifest, 3), manifest, terms)
  })

  it('in a second run, and it is drawn anew there', async () => {
    const manifests = [wide({ rounds: 1, target: { epsilon: 2, delta: 1e-5 } }), wide({ runId: RUN_B, rounds: 1 })]
    await using site = await start({ silent: true })
    const peer = await double.peer()
    const updates: number[][] = []
    for (const manifest of manifests) {
      const terms = await agree(peer, manifest)
      const update = await train(site, peer, manifest, 0)
      expectNoise(update, manifest, terms)
      updates.push(update)
    }
    expect(updates[0]).not.toEqual(updates[1])
  })
})

describe('trap: empty lots and drawn sizes', () => {
  it('an empty lot is noised and counted like any other', async () => {
    const manifest = wide({ expectedLotSize: 1 })
    const sizes: number[] = []
    await using site = await start({
      records: 3,
      declaredRecords: 10_000, // sampleRate 0.0001 of 3 records: each lot is empty, but for a chance of 0.03 %
      budget: { epsilon: 6, delta: 1e-5 },
      onLot: (records) => void sizes.push(records.length),
    })
    const peer = await double.peer()
    const terms = await agree(peer, manifest)
    expectNoise(await train(site, peer, manifest, 0), manifest, terms)
    expect(sizes).toHaveLength(5)
    expect(sizes.filter((size) => size === 0).length).toBeGreaterThanOrEqual(4)
    expect(showLedger(stateDir())[0]!.steps).toBe(5)
  })

  it('the divisor is the expected lot, whatever was drawn', async () => {
    // With hardly any noise, each step moves every number by learningRate * (records drawn) * each / expectedLotSize.
    const manifest = wide({ target: { epsilon: 900, delta: 1e-5 }, localSteps: 1, rounds: 1 })
    const sizes: number[] = []
    await using site = await start({
      budget: { epsilon: 900, delta: 1e-5 },
      onLot: (records) => void sizes.push(records.reduce((sum, record) => sum + (labelOf(record) === 0 ? -1 : 1), 0)),
    })
    const peer = await double.peer()
    await agree(peer, manifest)
    const update = await train(site, peer, manifest, 0)
    const mean = update.reduce((sum, value) => sum + value, 0) / update.length
    const each = 1 / Math.sqrt(DIMENSION)
    const expected = (-manifest.learningRate * sizes[0]! * each) / manifest.expectedLotSize
    expect(Math.abs(mean - expected)).toBeLessThan((5 * standardDeviation(update)) / Math.sqrt(DIMENSION) + 1e-7)
  })
})

describe('trap: an epsilon that is too small', () => {
  it('of one round only, where all rounds are composed', async () => {
    const manifest = wide()
    await using site = await start()
    const peer = await double.peer()
    const terms = await agree(peer, manifest)
    for (let round = 0; round < manifest.rounds; round += 1) await train(site, peer, manifest, round)
    const [view] = showLedger(stateDir())
    const steps = manifest.rounds * manifest.localSteps
    expect(view!.steps).toBe(steps)
    const delta = deltaWithoutMisses(1e-5, manifest.rounds)
    expect(view!.epsilonPld).toBeCloseTo(pld.epsilonUpperBound([{ ...terms, steps }], delta), 9)
    const withSpare = pld.epsilonUpperBound([{ ...terms, steps: scheduledSteps(manifest) }], 1e-5)
    expect(view!.epsilonPld).toBeLessThan(withSpare)
    expect(withSpare).toBeLessThanOrEqual(6)
    expect(withSpare).toBeGreaterThan(5.99 * 0.999)
    expect(view!.epsilonPld).toBeLessThanOrEqual(view!.epsilonRdp)
  })

  it('because a new run, a new coordinator or a restart began to count anew', async () => {
    const spend = async (manifest: RunManifest, coordinator: CoordinatorDouble) => {
      double = coordinator
      await using site = await startSite({
        folder: folder.path,
        transport: { ...loopbackTransport(coordinator), coordinator: `http://${manifest.runId}.test` },
      })
      const peer = await coordinator.peer()
      const terms = await agree(peer, manifest)
      await train(site, peer, manifest, 0)
      return terms
    }
    const small = { target: { epsilon: 4.7, delta: 1e-5 }, rounds: 1 }
    const first = await spend(wide(small), new CoordinatorDouble())
    const second = await spend(wide({ ...small, runId: RUN_B }), new CoordinatorDouble())
    expect(second.noiseMultiplier, 'less is left, so more noise is needed').toBeGreaterThan(first.noiseMultiplier)
    const [view] = showLedger(stateDir())
    expect(view!.epsilonCharged).toBeGreaterThan(5.9)
    expect(view!.epsilonCharged).toBeLessThanOrEqual(6)
    expect(view!.epsilonPld).toBeLessThan(view!.epsilonCharged)
  })

  it('because a delta larger than 1 / records promises nothing', async () => {
    const before = { budget: { epsilon: 6, delta: 0.02 } }
    await expect(start(before), 'before it enrols').rejects.toThrow(/DELTA_TOO_LARGE.*1 \/ declared records/)
    await start().then((site) => site[Symbol.asyncDispose]())
    await using site = await start({ declaredRecords: 200_000 })
    const peer = await double.peer()
    expect(await peer.offer(wide({ target: { epsilon: 6, delta: 1e-5 } }))).toMatchObject({
      accepted: false,
      error: { code: 'DELTA_TOO_LARGE' },
    })
    expect((await site.told('declined')).error.expected).toContain('1 / declared records')
  })
})

describe('trap: a ledger that forgets', () => {
  const spendOneRound = async (manifest = wide()) => {
    await using site = await start()
    const peer = await double.peer()
    await agree(peer, manifest)
    await train(site, peer, manifest, 0)
  }
  const ledgerFile = () => {
    const ledgers = join(stateDir(), 'ledgers')
    return join(ledgers, readdirSync(ledgers).find((name) => name.endsWith('.jsonl'))!)
  }

  it('because a line was changed: no training', async () => {
    await spendOneRound()
    const text = readFileSync(ledgerFile(), 'utf8')
    truncateSync(ledgerFile())
    appendFileSync(ledgerFile(), text.replace('"steps":5', '"steps":1'))
    await expect(start()).rejects.toThrow('LEDGER_DAMAGED')
  })

  it('because its end was cut off, or an old copy put back: the outbox gives it away', async () => {
    await spendOneRound()
    const lines = readFileSync(ledgerFile(), 'utf8').split('\n')
    truncateSync(ledgerFile(), lines.slice(0, 2).join('\n').length + 1) // "opened" and "bound" are left
    await expect(start()).rejects.toThrow(/LEDGER_DAMAGED.*reserved attempt 1 of round 1/)
  })

  it('because it was copied to another budget', async () => {
    await spendOneRound()
    copyFileSync(ledgerFile(), join(stateDir(), 'ledgers', 'another.jsonl'))
    expect(() => openLedger(stateDir(), FINGERPRINT, BUDGET, { name: 'another' })).toThrow('LEDGER_DAMAGED')
  })

  it('because a row more is another data set: the budget is that of the site, and both count', async () => {
    const target = { epsilon: 2, delta: 1e-5 }
    await spendOneRound(wide({ target }))
    await using other = await startSite({ folder: folder.path, transport: loopbackTransport(double), records: 101 })
    const [view, ...others] = showLedger(stateDir())
    expect(others).toEqual([])
    const next = wide({ runId: RUN_B, target })
    const peer = await double.peer()
    await agree(peer, next)
    await train(other, peer, next, 0)
    const [after] = showLedger(stateDir())
    expect(after!.epsilonPld).toBeGreaterThan(view!.epsilonPld)
    expect(after!.datasets).toHaveLength(2)
  })
})

describe('trap: a seeded generator', () => {
  it('never makes an update that can be sent: randomness of a seed is not private', async () => {
    await using site = await start({ source: seededSource('the same on all clients') })
    const peer = await double.peer()
    await agree(peer, wide())
    await peer.invite(double.invitation(wide(), 0))
    expect(await site.told('round-failed')).toMatchObject({ error: { code: 'NOISE_INVALID' } })
    expect(double.sent.some(({ kind }) => kind === 'upload')).toBe(false)
  })
})

describe('trap: numbers that leave beside the update', () => {
  /** Everything that a client may send, field by field; anything else in a message fails. */
  const allowed = {
    enrol: strict(enrolRequestSchema),
    challenge: strict(challengeRequestSchema),
    handshake: strict(clientHandshakeSchema),
    'ledger-report': strict(ledgerReportSchema),
    'ledger-report-part': ledgerReportPartSchema,
    'round-failed': strict(roundFailedSchema),
    blob: z.string().regex(/^[0-9a-f]{64}$/),
    upload: z.instanceof(Uint8Array),
    'offer-reply': strict(offerReplySchema),
    'invite-reply': strict(invitationReplySchema),
  }

  it('there are none: two sites with other records, labels and lengths send the same but for keys and frames', async () => {
    const traffic = async (records: number) => {
      folder[Symbol.dispose]()
      folder = temporaryFolder()
      double = new CoordinatorDouble()
      await using site = await start({ records, declaredRecords: 40 })
      const peer = await double.peer()
      await agree(peer, wide())
      for (const round of [0, 1]) await train(site, peer, wide(), round)
      peer.runEnded({ runId: wide().runId, state: 'completed' })
      await site.told('run-ended')
      for (const { kind, message } of double.sent) allowed[kind].parse(message)
      return double.sent.map(({ kind, message }) => [kind, withoutSecrets(message)])
    }
    expect(await traffic(43)).toEqual(await traffic(97))
  })

  it('a schema that lets an unknown field pass would be noticed here', () => {
    expect(() => allowed['invite-reply'].parse({ accepted: true, losses: [1] })).toThrow()
    expect(() => allowed['ledger-report'].parse({ runId: RUN_B, reservations: [], records: 97 })).toThrow()
  })
})

/** The schema, refusing fields that it does not name, at every depth. */
function strict(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodObject) {
    const shape = Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, field]) => [
      name,
      strict(field),
    ])
    return z.strictObject(Object.fromEntries(shape))
  }
  if (schema instanceof z.ZodArray) return z.array(strict(schema.element as z.ZodType))
  if (schema instanceof z.ZodDiscriminatedUnion)
    return z.union(schema.options.map((option) => strict(option as z.ZodType)) as never)
  return schema
}

/** A message without what is random by design: identities, keys, signatures, noise, hashes behind a salt. */
function withoutSecrets(message: unknown): unknown {
  if (message instanceof Uint8Array) return message.length
  return JSON.parse(
    JSON.stringify(message, (name, value: unknown) =>
      /^(clientId|publicKey|nonce|signature|instance|head)$/.test(name) ? 'random' : value,
    ),
  )
}
