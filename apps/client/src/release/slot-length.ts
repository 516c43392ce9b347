import { initialState } from '@fedsvd/core/lora'
import { type LotTerms, mostMembers } from '@fedsvd/core/privacy'
import { type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import { type EncodedRecord, IGNORED, recordsInMemory } from '@fedsvd/engine/datasets'
import { canEvaluate, type PrivateEngine } from '@fedsvd/engine/training'
import { lotOfAll } from '@fedsvd/engine/training/lots'
import type { ReleaseClock } from './release-clock.ts'

/** Room for a machine that is busier in a round than it was when it was timed. */
const MARGIN = 1.5

/** Full micro-batches that are timed together, and how often; the slowest counts. */
const BATCHES = 2
const TRIALS = 3

/** What a round takes beside its records, in milliseconds: writing steps, noise, and encoding the frame. */
const STEP_MS = 20
const ROUND_MS = 200

/**
 * The length of a round's slot in milliseconds: a function of the manifest, of what the site declared, and of how long
 * its engine takes for made-up records of the greatest length. No record of the site has a part in it.
 *
 * It covers the lots that are exceeded with a probability of at most `MISS_PROBABILITY`, with a margin for the machine.
 */
export async function slotLength(
  manifest: RunManifest,
  terms: Omit<LotTerms, 'steps'>,
  engine: PrivateEngine,
  clock: ReleaseClock,
): Promise<number> {
  const members = mostMembers({ ...terms, steps: manifest.localSteps })
  const records = members * resolveManifest(manifest).unit.maxRecords
  const perRecord = await millisecondsPerRecord(manifest, engine, clock)
  const training = records * perRecord + manifest.localSteps * STEP_MS
  return Math.ceil(MARGIN * (training + (await evaluationMs(manifest, terms, engine, clock)) + ROUND_MS))
}

/**
 * The longest time that an evaluation can take. Copies of a text are set aside together, so no bound below all of the
 * declared units holds whatever the records are.
 */
async function evaluationMs(
  manifest: RunManifest,
  { declaredRecords }: Pick<LotTerms, 'declaredRecords'>,
  engine: PrivateEngine,
  clock: ReleaseClock,
): Promise<number> {
  if (manifest.siteEvaluation === undefined || !canEvaluate(engine)) return 0
  const record = longestRecord(manifest)
  const records = Array.from({ length: BATCHES * engine.rowsFor(record) }, () => record)
  const state = initialState(manifest.adapter, { seed: manifest.seed })
  const perRecord = await slowestOf(clock, records.length, async () => {
    await ('logits' in engine ? engine.logits(records, state) : engine.scores(records, state))
  })
  return declaredRecords * resolveManifest(manifest).unit.maxRecords * perRecord
}

async function millisecondsPerRecord(
  manifest: RunManifest,
  engine: PrivateEngine,
  clock: ReleaseClock,
): Promise<number> {
  const record = longestRecord(manifest)
  const count = BATCHES * engine.rowsFor(record)
  const lot = lotOfAll(recordsInMemory(Array.from({ length: count }, () => record)))
  const state = initialState(manifest.adapter, { seed: manifest.seed })
  return await slowestOf(clock, count, async () => void (await engine.clippedLotSum(lot, state, manifest.clipNorm)))
}

/** The slowest of some trials, by record, in milliseconds; the first one is not counted, as it makes the session. */
async function slowestOf(clock: ReleaseClock, count: number, compute: () => Promise<void>): Promise<number> {
  await compute()
  let slowest = 0
  for (let trial = 0; trial < TRIALS; trial++) {
    const started = clock.now()
    await compute()
    slowest = Math.max(slowest, clock.now() - started)
  }
  return slowest / count
}

/** As long as the run allows, of the first token, with a target wherever its task has one. */
function longestRecord(manifest: RunManifest): EncodedRecord {
  const { task } = resolveManifest(manifest)
  const { maxTokens } = manifest.model
  const tokenIds = new Int32Array(maxTokens)
  if (task === 'sequence-classification') return { tokenIds, label: 0 }
  // the last token of a text has no next one
  const targets = new Int32Array(maxTokens)
  if (task !== 'token-classification') targets[maxTokens - 1] = IGNORED
  return { tokenIds, targets }
}
