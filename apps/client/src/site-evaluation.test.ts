import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { layoutOf, updateOfTensors } from '@fedsvd/core/protocol'
import { BOUND, countsOf } from '@fedsvd/core/site-evaluation'
import { CoordinatorDouble } from '@fedsvd/testing/client/coordinator-double'
import { labelOf } from '@fedsvd/testing/client/fake-engine'
import { loopbackTransport } from '@fedsvd/testing/client/loopback-transport'
import { startSite } from '@fedsvd/testing/client/running-site'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { describe, expect, it } from 'vitest'

const RECORDS = 100
const budget = { epsilon: 900, delta: 1e-5 }
const NOISE = 0.1 // next to none, so that counts can be read
const manifest = sampleManifest({
  rounds: 4,
  localSteps: 1,
  expectedLotSize: RECORDS, // each step takes everything that is trained on
  target: budget,
  siteEvaluation: { share: 0.3, every: 2, noiseMultiplier: NOISE },
})
const names = Array.from({ length: RECORDS }, (_, at) => String.fromCharCode(97 + (at % 25), 97 + Math.floor(at / 25)))

function dataIn(folder: TemporaryFolder): string {
  const file = join(folder.path, 'named.jsonl')
  const rows = names.map((text, at) => ({ text, label: at % 4 === 0 ? 'ham' : 'spam' }))
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return file
}

function ledgerKinds(folder: TemporaryFolder): readonly string[] {
  const ledgers = join(folder.path, 'state', 'ledgers')
  const [file] = readdirSync(ledgers).filter((name) => name.endsWith('.jsonl'))
  const lines = readFileSync(join(ledgers, file!), 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => (JSON.parse(line) as { fact: { kind: string } }).fact.kind)
}

async function threeRounds(changes: Parameters<typeof sampleManifest>[0] = {}, siteBudget = budget) {
  using folder = temporaryFolder()
  const run = { ...manifest, ...changes }
  const double = new CoordinatorDouble()
  const trained = new Map<string, number | undefined>()
  await using site = await startSite({
    folder: folder.path,
    transport: loopbackTransport(double),
    dataFile: dataIn(folder),
    declaredRecords: RECORDS,
    budget: siteBudget,
    onLot: (records) => {
      for (const record of records) trained.set(String.fromCharCode(...record.tokenIds), labelOf(record))
    },
  })
  const peer = await double.peer()
  expect(await peer.offer(run)).toMatchObject({ accepted: true })
  const evaluations: (Float32Array | undefined)[] = []
  const sizes = new Set<number>()
  for (const round of [0, 1, 2, 3]) {
    await peer.invite(double.invitation(run, round))
    const { tensors } = await double.received(run, round, peer.clientId)
    evaluations.push(updateOfTensors(run, tensors).evaluation)
    sizes.add(double.frames.get(`${run.runId}/${round}`)!.at(-1)!.length)
    await site.told('round-delivered', round + 1)
  }
  const notEvaluated = site.events.flatMap((one) => (one.event === 'not-evaluated' ? [one.round] : []))
  return { evaluations, sizes, trained, kinds: ledgerKinds(folder), notEvaluated, run }
}

describe('a run that evaluates at its sites', () => {
  it('trains on none of the records that are set aside, counts all of those, and pays before each count', async () => {
    const { evaluations, sizes, trained, kinds, run } = await threeRounds()
    const setAside = names.filter((name) => !trained.has(name))
    expect(setAside.length).toBeGreaterThan(10)
    expect(setAside.length).toBeLessThan(55)
    // rounds 2 and 3 of 0 to 3: every second one, and the last
    expect(evaluations.map((one) => one !== undefined)).toEqual([false, false, true, true])
    expect(sizes.size).toBe(1) // a frame does not show whether it holds counts
    const ham = setAside.filter((name) => names.indexOf(name) % 4 === 0).length
    for (const counts of evaluations.slice(2)) {
      const { outcomes, calibration } = countsOf(layoutOf(run), counts!)
      // the logits of the fake engine are zeros: the first class, with confidence 1/2
      const expected = [ham, 0, setAside.length - ham, 0]
      const most = 6 * NOISE * (BOUND / 768)
      for (const [cell, count] of outcomes.entries()) expect(Math.abs(count - expected[cell]!)).toBeLessThan(most)
      expect(calibration[8]! + calibration[9]!).toBeGreaterThan(setAside.length - 6)
    }
    const [first] = kinds.filter((kind) => kind === 'charged')
    expect(first).toBe('charged')
    expect(kinds.filter((kind) => kind === 'reserved' || kind === 'charged')).toEqual([
      'reserved',
      'reserved',
      'reserved',
      'charged',
      'reserved',
      'charged',
    ])
  })

  it('sends its update without counts where the records set aside cannot pay for them', async () => {
    // one count at this noise costs more than the run may spend
    const noise = { siteEvaluation: { share: 0.3, every: 2, noiseMultiplier: 0.02 } }
    const { evaluations, kinds, notEvaluated } = await threeRounds(noise)
    expect(evaluations).toEqual([undefined, undefined, undefined, undefined])
    expect(notEvaluated).toEqual([2, 3])
    expect(kinds).not.toContain('charged')
  })

  it('changes nothing of a run that does not', async () => {
    const { trained, evaluations } = await threeRounds({ siteEvaluation: undefined })
    expect(trained.size).toBe(RECORDS)
    expect(evaluations.every((one) => one === undefined)).toBe(true)
  })
})
