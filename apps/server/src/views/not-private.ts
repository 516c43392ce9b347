import type { Alert } from '../storage/records/index.ts'

/** What is raised where the noise or the lots of a run were not drawn as its guarantee needs them. */
const CODE = 'NOISE_INVALID'

/**
 * Why no epsilon of a run holds: its random numbers were not those of an operating system, or its noise was otherwise
 * unusable. Undefined for every other run.
 *
 * @param reason why the run has ended
 */
export function notPrivateReason(
  reason: string | undefined,
  alerts: readonly Pick<Alert, 'code' | 'message'>[],
): string | undefined {
  if (reason?.includes(CODE)) return reason
  return alerts.findLast(({ code }) => code === CODE)?.message
}
