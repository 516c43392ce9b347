import type { AdapterSchema } from '@fedsvd/core/lora'
import type { SvdDevice } from '@fedsvd/engine/settings'

/**
 * Multiplications of the Gram matrices of all layers, from which on a library is faster than the exact route and the
 * event loop would wait too long. From the table in docs/reference/devices.md, which `npm run bench:svd` made;
 * tests/docs/devices.test.ts holds the two together.
 */
export const SMALL_STEP = 1e6

/** The multiplications of one Gram matrix of A and of B in every layer. */
export function gramMultiplications({ rank, layers }: AdapterSchema): number {
  return layers.reduce((sum, { dIn, dOut }) => sum + rank * rank * (dIn + dOut), 0)
}

/** True for a re-factorisation that takes a few milliseconds without any library. */
export function isSmallStep(adapter: AdapterSchema): boolean {
  return gramMultiplications(adapter) < SMALL_STEP
}

/**
 * What `auto` means for a state of this size. A GPU is taken only where it is named: none has been measured, and which
 * of two devices is faster must not decide about the last bits of a state.
 */
export function chosenDevice(setting: SvdDevice, adapter: AdapterSchema): Exclude<SvdDevice, 'auto'> {
  if (setting !== 'auto') return setting
  return isSmallStep(adapter) ? 'javascript' : 'cpu'
}

/**
 * How long a device may take to open, or for a state of this size, before the exact route takes its place: ten minutes,
 * which is far more than any driver took for compiling its programs, and a second for each 10^7 multiplications.
 */
export function deviceLimitMs(adapter?: AdapterSchema): number {
  return 600_000 + (adapter === undefined ? 0 : Math.ceil(gramMultiplications(adapter) / 1e7) * 1000)
}
