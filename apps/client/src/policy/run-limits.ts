import { FedsvdError } from '@fedsvd/core/errors'
import { type AdapterState, stateSpecs, trainedSpecs } from '@fedsvd/core/lora'
import { frameBytes, type Invitation, type RunManifest, resolveManifest } from '@fedsvd/core/protocol'
import { sizeOf } from '@fedsvd/core/tensor'
import { z } from 'zod'

/*
 * What a coordinator may ask of this site, whoever it is. The numbers of a manifest are the coordinator's choice, and
 * some of them can be chosen to harm: to make gradients vanish or overflow, to keep a machine busy for weeks, to fill
 * its memory.
 */

interface Limit {
  readonly min: number
  readonly max: number
  readonly of: (manifest: RunManifest) => number
  readonly because: string
}

const scaleOf = ({ adapter: { alpha, rank } }: RunManifest): number => alpha / rank
const numbersIn = (specs: readonly { readonly shape: readonly number[] }[]): number =>
  specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** The ranges that hold where the configuration names no others; no run that trains well is known outside them. */
export const RUN_LIMITS = {
  clipNorm: { min: 1e-4, max: 1e4, of: ({ clipNorm }) => clipNorm, because: 'norms of gradients lie between' },
  learningRate: {
    min: 1e-9,
    max: 1e4,
    of: ({ learningRate }) => learningRate,
    because: 'a step that can be taken back',
  },
  momentum: { min: 0, max: 0.99, of: ({ momentum }) => momentum, because: 'a sum of at most a hundred steps' },
  featureScale: {
    min: 1e-3,
    max: 1e3,
    of: (manifest) => resolveManifest(manifest).model.featureScale,
    because: 'features that neither vanish nor overflow',
  },
  adapterScale: { min: 1e-3, max: 1e3, of: scaleOf, because: 'alpha / rank multiplies every update' },
  expectedLotSize: { min: 1, max: 1e6, of: ({ expectedLotSize }) => expectedLotSize, because: 'work of one step' },
  localSteps: { min: 1, max: 1000, of: ({ localSteps }) => localSteps, because: 'work of one round' },
  rounds: { min: 1, max: 10_000, of: ({ rounds }) => rounds, because: 'length of one run' },
  maxTokens: { min: 1, max: 8192, of: ({ model }) => model.maxTokens, because: 'memory of one record' },
  trainedNumbers: {
    min: 1,
    max: 2 ** 26,
    of: ({ adapter }) => numbersIn(trainedSpecs(adapter)),
    because: 'memory of one gradient, 256 MiB',
  },
  stateNumbers: {
    min: 1,
    max: 2 ** 28,
    of: ({ adapter }) => numbersIn(stateSpecs(adapter)),
    because: 'memory of the published state, 1 GiB',
  },
} as const satisfies Record<string, Limit>

/** Offers of new runs: how many runs may be open, and how many may be agreed to in an hour. */
export const MOST_OPEN_RUNS = 16
export const MOST_NEW_RUNS_PER_HOUR = 32
/** No number of a published state is larger: the head and the factors of a run that trains stay far below. */
const LARGEST_STATE_VALUE = 1e6

const range = z.strictObject({ min: z.number().finite().optional(), max: z.number().finite().optional() }).optional()
const names = Object.keys(RUN_LIMITS) as (keyof typeof RUN_LIMITS)[]

/** The part of the configuration that moves limits. */
export const runLimitsSchema = z.strictObject({
  ...(Object.fromEntries(names.map((name) => [name, range])) as Record<keyof typeof RUN_LIMITS, typeof range>),
  openRuns: z.number().int().positive().max(10_000).optional(),
  newRunsPerHour: z.number().int().positive().max(10_000).optional(),
  stateValue: z.number().positive().finite().optional(),
  /** The models that runs may be made with, by their names in manifests; absent: any that is here, or on the hub. */
  models: z.array(z.string().min(1)).optional(),
})
export type RunLimits = z.infer<typeof runLimitsSchema>

/** Refuses a manifest with a number, or a model, outside the limits of this site. @throws FedsvdError POLICY_REFUSED */
export function requireWithinLimits(manifest: RunManifest, limits: RunLimits = {}): void {
  const { models = [manifest.model.name] } = limits
  if (!models.includes(manifest.model.name)) {
    throw refused(
      `one of the models ${models.join(', ')} (this site reads its texts with no other)`,
      manifest.model.name,
    )
  }
  for (const name of names) {
    const { of, ...usual } = RUN_LIMITS[name]
    const { min = usual.min, max = usual.max } = limits[name] ?? {}
    const value = of(manifest)
    if (value >= min && value <= max) continue
    throw refused(`${name} from ${min} to ${max} (${usual.because})`, String(value))
  }
}

/**
 * Refuses an invitation whose state cannot be that of the run, before a byte of it is fetched: the schema gives its
 * size.
 *
 * @throws FedsvdError FRAME_TOO_LARGE, FRAME_MALFORMED
 */
export function requireStateSize({ adapter }: RunManifest, { state }: Invitation): void {
  const expected = frameBytes(stateSpecs(adapter))
  if (state.bytes === expected) return
  throw new FedsvdError(state.bytes > expected ? 'FRAME_TOO_LARGE' : 'FRAME_MALFORMED', {
    expected: `a state of ${expected} bytes, which is what the schema of the run gives`,
    got: `${state.bytes} bytes`,
    remedy: 'Invite with a state of the run; nothing was fetched and nothing was spent.',
  })
}

/** Refuses a published state with a number beyond all use. @throws FedsvdError POLICY_REFUSED */
export function requireUsualState(
  { a, b, head }: AdapterState,
  { stateValue = LARGEST_STATE_VALUE }: RunLimits = {},
): void {
  for (const { name, data } of [...a, ...b, ...head]) {
    const outside = data.find((value) => !(Math.abs(value) <= stateValue))
    if (outside !== undefined) throw refused(`values of at most ${stateValue} in ${name} of the state`, String(outside))
  }
}

/** Refuses another new run where enough are open, or came in the last hour. @throws FedsvdError RATE_LIMITED */
export function requireRoomForRun(open: number, inLastHour: number, limits: RunLimits = {}): void {
  const { openRuns = MOST_OPEN_RUNS, newRunsPerHour = MOST_NEW_RUNS_PER_HOUR } = limits
  if (open < openRuns && inLastHour < newRunsPerHour) return
  throw new FedsvdError('RATE_LIMITED', {
    expected: `at most ${openRuns} open runs, and ${newRunsPerHour} new ones in an hour`,
    got: `${open} open and ${inLastHour} new`,
    remedy: 'End runs that are not used, or offer again later.',
  })
}

function refused(expected: string, got: string): FedsvdError {
  return new FedsvdError('POLICY_REFUSED', {
    expected,
    got,
    remedy: 'Open the run with other numbers, or ask the site to move this limit in its configuration.',
  })
}
