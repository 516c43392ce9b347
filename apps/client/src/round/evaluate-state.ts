import { isFedsvdError } from '@fedsvd/core/errors'
import type { AdapterState } from '@fedsvd/core/lora'
import { mostLikely, probabilitiesOf, targetsOf } from '@fedsvd/core/metrics'
import { beginCounts, type NoisedCounts, type Reservation } from '@fedsvd/core/privacy'
import { layoutOf, type RunManifest } from '@fedsvd/core/protocol'
import type { RandomSource } from '@fedsvd/core/random'
import { BOUND, isEvaluationRound, type Prediction, vectorOfUnit } from '@fedsvd/core/site-evaluation'
import { type EncodedRecord, type RecordSource, unitsIn } from '@fedsvd/engine/datasets'
import { canEvaluate, type PrivateEngine, type TaskEngine } from '@fedsvd/engine/training'
import type { PrivacyLedger } from '../ledger/index.ts'
import { turn } from '../platform/index.ts'
import { madeUpRecord } from './sum-despite-faults.ts'

/** Units whose records are looked at together. */
const UNITS_AT_A_TIME = 32

export interface EvaluationParts {
  readonly engine: PrivateEngine
  readonly manifest: RunManifest
  /** The units that the run does not train on. */
  readonly setAside: RecordSource
  readonly reservation: Reservation
  readonly source: RandomSource
  readonly signal: AbortSignal
  /** Waits while the run stands still. */
  rest(): Promise<void>
}

/**
 * Pays for the evaluation of a round where it has one; undefined where it has none, or the budget of the units set
 * aside does not pay for it. Both follow from the manifest and the ledger, and from no record.
 */
export function payForEvaluation(
  ledger: PrivacyLedger,
  manifest: RunManifest,
  { round, engine }: { readonly round: number; readonly engine: PrivateEngine },
): Reservation | undefined {
  if (!isEvaluationRound(manifest, round) || !canEvaluate(engine)) return undefined
  try {
    return ledger.evaluate(manifest.runId, round)
  } catch (error) {
    if (isFedsvdError(error, 'BUDGET_EXHAUSTED')) return undefined
    throw error
  }
}

/**
 * What the published state makes of the units set aside, as noised counts. Nothing about a record is an error: one that
 * the engine fails on counts as none.
 *
 * @throws the engine's error where it fails on a made-up record as well
 * @throws the signal's reason when it aborts
 */
export async function evaluateState(parts: EvaluationParts, state: AdapterState): Promise<NoisedCounts> {
  const { engine, manifest, setAside, reservation, source, signal, rest } = parts
  const layout = layoutOf(manifest)
  const counts = beginCounts({ cells: layout.cells, bound: BOUND })
  const predict = predictor(engine as TaskEngine, state)
  const recordsOf = (unit: number): readonly EncodedRecord[] =>
    Array.from(setAside.units?.recordsOf(unit) ?? [unit], (position) => setAside.read(position))
  const size = unitsIn(setAside)
  for (let at = 0; at < size; at += UNITS_AT_A_TIME) {
    signal.throwIfAborted()
    await rest()
    const units = Array.from({ length: Math.min(UNITS_AT_A_TIME, size - at) }, (_, index) => recordsOf(at + index))
    const predictions = await predict.all(units.flat())
    let next = 0
    for (const records of units) {
      const own = predictions.slice(next, next + records.length)
      next += records.length
      // A unit is counted whole or not at all, as its gradient is.
      counts.add(vectorOfUnit(layout, own.includes(undefined) ? [] : own.flatMap((of) => of ?? [])))
    }
    await turn()
  }
  const [fault] = predict.faults
  if (fault !== undefined) {
    await predict.one([madeUpRecord(manifest)]).catch(() => {
      throw fault
    })
  }
  const { noiseMultiplier } = manifest.siteEvaluation!
  return counts.noised({ reservation, noiseMultiplier, source })
}

/** Predictions for the targets of each record; undefined for one that the engine failed on. */
function predictor(engine: TaskEngine, state: AdapterState) {
  const faults: unknown[] = []
  const one = (records: readonly EncodedRecord[]) =>
    'logits' in engine ? ofLogits(engine, records, state) : ofScores(engine, records, state)
  return {
    faults,
    one,
    /** A batch in which a record fails is computed record by record: the others count as they do without it. */
    async all(records: readonly EncodedRecord[]): Promise<readonly (readonly Prediction[] | undefined)[]> {
      try {
        return await one(records)
      } catch (error) {
        if (faults.length === 0) faults.push(error)
      }
      const each: (readonly Prediction[] | undefined)[] = []
      for (const record of records) {
        const found = await one([record]).catch(() => [undefined])
        each.push(found[0])
      }
      return each
    },
  }
}

async function ofLogits(
  engine: Extract<TaskEngine, { logits: unknown }>,
  records: readonly EncodedRecord[],
  state: AdapterState,
): Promise<readonly (readonly Prediction[])[]> {
  const logits = await engine.logits(records, state)
  const classes = logits.length / Math.max(1, records.length)
  return probabilitiesOf(logits, classes).map((row, index) => {
    const record = records[index]!
    const target = 'label' in record ? record.label : -1
    const predicted = mostLikely(row)
    return [{ target, predicted, confidence: row[predicted]!, loss: -Math.log(row[target] ?? 0) }]
  })
}

async function ofScores(
  engine: Extract<TaskEngine, { scores: unknown }>,
  records: readonly EncodedRecord[],
  state: AdapterState,
): Promise<readonly (readonly Prediction[])[]> {
  const scores = await engine.scores(records, state)
  return scores.map(({ losses, predicted }, index) => {
    const record = records[index]!
    const targets = 'targets' in record ? targetsOf(record.targets) : []
    return targets.map((target, at) => ({ target, predicted: predicted[at]!, loss: losses[at]! }))
  })
}
