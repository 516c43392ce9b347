import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clientConfig, startClient } from '../../apps/client/src/index.ts'
import type { RunManifest } from '../../packages/core/src/protocol/index.ts'
import { type RandomSource, seededSource } from '../../packages/core/src/random/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { fakeEngine } from '../../packages/testing/src/client/fake-engine.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { RUN_B, sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { letters } from '../../packages/testing/src/client/site.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'

/*
 * The attack: a coordinator that offers what only some data can answer, and reads refusals, codes, silence and sizes.
 * The same script is played to a real client on two data sets that differ by one record, with the same lots and the
 * same noise; what comes back must be the same, but for what is noised and what follows from it.
 */

interface Neighbours {
  /** Lines of the file that both have. */
  readonly rows: readonly string[]
  /** The line that only one of them has, the last. */
  readonly target: string
  /** What the coordinator offers beside the run that it trains. */
  readonly offers?: readonly RunManifest[]
  /** The update may differ too: the record is one that trains. */
  readonly trains?: boolean
  /** The run sets units aside and counts them. */
  readonly evaluates?: boolean
  /** The engine fails on the target. */
  readonly fails?: boolean
}

const row = (text: string, label = 'ham') => JSON.stringify({ text, label })
const rows = (count: number) => Array.from({ length: count }, (_, at) => row(`letter ${at}`, at % 2 ? 'spam' : 'ham'))
/** No other record, nor any that is made up to try the engine, has its letter alone. */
const LONG = 'x'.repeat(64)
const DECLARED = 100
const RUN = sampleManifest({ model: { name: 'none', maxTokens: 64 }, expectedLotSize: 40, rounds: 2 })

const CASES: Readonly<Record<string, Neighbours>> = {
  'trains like any other': { rows: rows(99), target: row('one more'), trains: true },
  'overflows, so that the engine fails': { rows: rows(99), target: row(LONG), fails: true },
  'is far longer than the run reads': { rows: rows(99), target: row('y'.repeat(100_000)), trains: true },
  'has a label that the run does not have': { rows: rows(99), target: row('one', 'eggs') },
  'is the only one of a label that an offer leaves out': {
    rows: rows(99).map((line) => line.replace('"spam"', '"ham"')),
    target: row('one', 'spam'),
    offers: [sampleManifest({ runId: RUN_B, labels: ['ham', 'eggs'], target: { epsilon: 0.5, delta: 1e-5 } })],
    trains: true,
  },
  'is nothing once it is tokenised': { rows: rows(99), target: row('~') },
  'is the only one that an offer can take': {
    rows: rows(99),
    target: row('one', 'bacon'),
    offers: [sampleManifest({ runId: RUN_B, labels: ['eggs', 'bacon'], target: { epsilon: 0.5, delta: 1e-5 } })],
    trains: true,
  },
  'makes the count a round number': { rows: rows(99), target: row('hundredth'), trains: true },
  'makes the count larger than 1 / delta': { rows: rows(100), target: row('one too many'), trains: true },
  'makes the count as large as a lot': { rows: rows(39), target: row('fortieth'), trains: true },
  'is the only one': { rows: [], target: row('alone'), trains: true },
  'may be set aside': { rows: rows(99), target: row('one more'), trains: true, evaluates: true },
  'is a blank text': { rows: rows(99), target: row('  ') },
  'is no JSON': { rows: rows(99), target: '{"text":' },
  'has no label': { rows: rows(99), target: '{"text":"one"}' },
}

/** Random bytes of a seed that pass for those of the system: an update of a seeded source is never sent. */
function passingForSecure(seed: string): RandomSource {
  const { fill } = seededSource(seed)
  return { kind: 'os-csprng', fill }
}

/** Plays the script to a site on these lines. @returns what it sent, in its order */
async function transcript({ offers = [], fails = false, evaluates = false }: Neighbours, lines: readonly string[]) {
  using folder = temporaryFolder()
  const dataFile = join(folder.path, 'data.jsonl')
  writeFileSync(dataFile, lines.map((line) => `${line}\n`).join(''))
  // every record is in every lot, so that what a failing one does to the others shows in the update
  const run = {
    ...RUN,
    ...(fails && { expectedLotSize: DECLARED }),
    ...(evaluates && { siteEvaluation: { share: 0.5, every: 1, noiseMultiplier: 3 } }),
  }
  const double = new CoordinatorDouble()
  const transport = loopbackTransport(double)
  let delivered: () => void = () => {}
  const config = clientConfig({
    coordinator: transport.coordinator,
    name: 'a site',
    dataFile,
    stateDir: join(folder.path, 'state'),
    budget: { epsilon: 6, delta: 0.01 },
    enrolmentToken: 'token',
    declaredRecords: DECLARED,
  })
  await using _node = await startClient(config, {
    transport,
    source: passingForSecure('noise'),
    lotSource: passingForSecure('lots'),
    tokenizer: {
      ...letters,
      encode: async (text, most) => (text === '~' ? new Int32Array(0) : await letters.encode(text, most)),
    },
    engineFor: async ({ adapter }) =>
      fakeEngine(adapter, (records) => {
        if (fails && records.some(({ tokenIds }) => tokenIds.every((id) => id === LONG.charCodeAt(0))))
          throw new Error('NaN')
      }),
    onEvent: ({ event }) => {
      if (event === 'round-delivered' || event === 'round-failed' || event === 'declined') delivered()
    },
  })
  const peer = await double.peer()
  for (const manifest of [run, ...offers]) {
    await peer.offer({ ...manifest, target: { ...manifest.target, delta: Math.min(manifest.target.delta, 0.01) } })
  }
  for (const runId of [run.runId, ...offers.map((manifest) => manifest.runId)]) {
    const manifest = [run, ...offers].find((one) => one.runId === runId)!
    for (const round of [0, 1]) {
      const done = new Promise<void>((resolve) => {
        delivered = resolve
      })
      const invited = await peer.invite(double.invitation(manifest, round))
      if (invited.accepted) await done
    }
  }
  return double.sent.map(({ kind, message }) => ({ kind, message: withoutSecrets(message) }))
}

/** A message without what is random by design: keys, nonces, signatures and identities. */
function withoutSecrets(message: unknown): unknown {
  if (message instanceof Uint8Array) return Buffer.from(message).toString('base64')
  const secret = /^(clientId|publicKey|nonce|signature|instance|head)$/
  return JSON.parse(JSON.stringify(message, (name, value: unknown) => (secret.test(name) ? 'secret' : value)))
}

/**
 * Frames name their client, which is drawn anew at each enrolment, and end in their hash; what is between is compared.
 */
function payload(frame: unknown): string {
  const bytes = Buffer.from(String(frame), 'base64')
  return Buffer.concat([bytes.subarray(0, 32), bytes.subarray(48, -32)]).toString('base64')
}

describe('a coordinator cannot tell whether the target is there', () => {
  it.each(Object.entries(CASES))('where the target %s', async (_, neighbours) => {
    const without = await transcript(neighbours, neighbours.rows)
    const within = await transcript(neighbours, [...neighbours.rows, neighbours.target])
    expect(within.map(({ kind }) => kind)).toEqual(without.map(({ kind }) => kind))
    expect(without.filter(({ kind }) => kind === 'upload').length).toBeGreaterThanOrEqual(2)
    for (const [at, { kind, message }] of without.entries()) {
      const other = within[at]!.message
      if (kind !== 'upload') expect(other).toEqual(message)
      else if (neighbours.trains) expect(payload(other)).toHaveLength(payload(message).length)
      else expect(payload(other)).toEqual(payload(message))
    }
  })
})
