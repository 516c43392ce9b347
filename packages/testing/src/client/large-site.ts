/*
 * The data of a site in a process of its own, whose heap a test keeps smaller than the file:
 *
 *   node --max-old-space-size=<MB> <bundle> stream|all <file> <state folder>
 *
 * `stream` does what a client does: names the data set, encodes it, and reads lots from the store. `all` reads every
 * record into memory, to show that the limit is one.
 */

import { encodedStores, loadSiteData } from '@fedsvd/client/data'
import { drawPoissonLot } from '@fedsvd/core/random'
import { osRandomness } from '@fedsvd/engine/crypto'
import { loadRecords } from '@fedsvd/engine/datasets'
import { fakeEngine } from './fake-engine.ts'
import { sampleManifest } from './sample-run.ts'
import { letters } from './site.ts'

const [mode = '', file = '', stateDir = ''] = process.argv.slice(2)
const manifest = sampleManifest({ model: { name: 'none', maxTokens: 64 } })
const { signal } = new AbortController()

if (mode === 'all') {
  const records = await loadRecords(file)
  process.stdout.write(JSON.stringify({ records: records.length }))
} else {
  const site = await loadSiteData(file, {}, stateDir)
  const prepared = await encodedStores(stateDir, site, async () => letters).prepare(manifest)
  const records = await prepared.open(signal)
  let seen = 0
  const engine = fakeEngine(manifest.adapter, (part) => {
    seen += part.length
  })
  const lots: number[] = []
  for (const sampleRate of [0.01, 1]) {
    const members = drawPoissonLot(osRandomness, records.size, sampleRate)
    lots.push(members.length)
    await engine.clippedLotSum({ records, members }, undefined as never, manifest.clipNorm, { signal })
  }
  process.stdout.write(JSON.stringify({ records: site.records, fingerprint: site.fingerprint, lots, seen }))
}
