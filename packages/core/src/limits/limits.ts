import { z } from 'zod'
import { LARGEST_GROUP, LEAST_DELTA } from '../accounting/index.ts'

/** The numbers that a field may hold, both ends included, and why no honest run needs another one. */
export interface Range {
  readonly least: number
  readonly most: number
  readonly because: string
}

const range = (least: number, most: number, because: string): Range => ({ least, most, because })

const MOST_INT32 = 2 ** 31 - 1
const DAY_SECONDS = 24 * 3600

/**
 * The range of every number that crosses the wire or comes from a file of settings. Whatever lies within them is cheap
 * to account for, finite in float32 arithmetic, and fits the columns of the database; the protocol reference shows this
 * table.
 */
export const LIMITS = {
  epsilon: range(1e-6, 1000, 'calibration finds no useful noise below, and above it the promise means nothing'),
  delta: range(LEAST_DELTA, 0.5, 'accountants have no digits below, and half of all records given away is no promise'),
  sampleRate: range(1e-10, 1, 'one record in the largest data set that can be declared is 4.7e-10'),
  noiseMultiplier: range(0.01, 1e6, 'calibration looks between 0.02 and 1e6; less noise than that is none'),
  noiseRatio: range(
    1,
    100,
    'at 1 every budget has to be untouched; with 100 times the noise an update is worth a ten-thousandth of another',
  ),
  renyiOrder: range(1.001, 2e6, 'filters take their order from a grid within'),
  declaredRecords: range(1, MOST_INT32, 'an integer of the database'),
  lotSize: range(1, MOST_INT32, 'a lot is no larger than the data that can be declared'),
  stepsInAll: range(1, 1e10, 'as many as rounds times localSteps'),
  validationShare: range(
    0.01,
    0.5,
    'fewer units than that measure nothing; more than half would be missing from the training',
  ),
  recordsPerUnit: range(1, LARGEST_GROUP, 'the exact epsilon of a group is computed up to this size'),
  localSteps: range(1, 10_000, 'a round of more steps would be rounds'),
  rounds: range(1, 1_000_000, 'at one round a minute that is two years'),
  round: range(0, 1_000_000, 'as many as rounds'),
  basis: range(0, 1_000_000, 'as many as rounds'),
  attempt: range(1, 1000, 'each stands for a crash of the client in one round'),
  ledgerLength: range(0, 1_000_000_000, 'a ledger of hundreds of gigabytes'),
  reportParts: range(2, 256, 'twice what a report of the longest has in parts of their usual size'),
  reportPart: range(0, 255, 'as many as reportParts'),
  clipNorm: range(
    1e-6,
    1e6,
    'gradients of float32 models have norms between; the grid and its noise stay normal numbers',
  ),
  adaptedClipNorm: range(1e-13, 1e13, 'an adapting clip norm may leave the range that it begins in'),
  learningRate: range(1e-9, 1e6, 'a step beyond these moves nothing, or everything beyond float32'),
  clipLearningRate: range(1e-6, 2, 'the clip norm changes by at most this factor of e in a round'),
  momentum: range(0, 0.9999, 'steps are divided by what is missing to 1'),
  quantile: range(1e-4, 1 - 1e-4, 'a share of norms that so few votes could find'),
  countShare: range(1e-4, 0.5, 'the votes take a part of the budget and leave most of it to the gradients'),
  featureScale: range(1e-6, 1e6, 'features of float32 models, scaled, stay normal numbers'),
  alpha: range(1e-6, 1e6, 'alpha / rank multiplies the update: within float32 on both sides'),
  rank: range(1, 1024, 'a larger adapter is no longer a small one'),
  dimension: range(1, 2 ** 24, 'no layer and no vocabulary is wider'),
  tokens: range(1, 100_000, 'the longest text that a model of today reads'),
  clients: range(1, 1_000_000, 'clients of one round, far beyond what a coordinator carries'),
  overSelection: range(1, 10, 'more would ask for updates that are thrown away'),
  staleness: range(1, 1000, 'an older update says nothing about the state of today'),
  stalenessExponent: range(0, 10, 'beyond it a late update weighs nothing'),
  deadlineSeconds: range(
    0.1,
    30 * DAY_SECONDS,
    'shorter than any round trip is no deadline, and longer than a month no round',
  ),
  bytes: range(1, 2 ** 40, 'a state or an update of a terabyte'),
  protocolVersion: range(0, 1_000_000, 'a counter of releases'),
  count: range(0, Number.MAX_SAFE_INTEGER, 'counted by the coordinator; exact as a number'),
  epsilonSpent: range(0, Number.MAX_VALUE, 'the largest number stands for events that no accountant can bound'),
  measured: range(-Number.MAX_VALUE, Number.MAX_VALUE, 'measured or computed by the coordinator: any finite number'),
} as const satisfies Record<string, Range>

/** A number within a range. */
export function numberIn({ least, most }: Range): z.ZodNumber {
  return z.number().min(least).max(most)
}

/** A whole number within a range. */
export function wholeIn({ least, most }: Range): z.ZodNumber {
  return z.number().int().min(least).max(most)
}
