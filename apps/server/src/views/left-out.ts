import type { RunSnapshot } from '@fedsvd/core/protocol'
import type { Alert } from '../storage/records/index.ts'

/**
 * Who was left out of a run and why: clients that it was offered to, that an alert is about, and that never took part.
 * The newest alert about each of them is its reason. It follows from what is stored, so a restart forgets nobody.
 *
 * @param alerts of the run, oldest first
 */
export function leftOutOf(
  alerts: readonly Alert[],
  takesPart: (clientId: string) => boolean,
  nameOf: (clientId: string) => string,
): NonNullable<RunSnapshot['leftOut']> {
  const newest = new Map<string, Alert>()
  for (const alert of alerts) {
    if (alert.clientId !== undefined && !takesPart(alert.clientId)) newest.set(alert.clientId, alert)
  }
  return [...newest].map(([clientId, { code, message, at }]) => {
    return { clientId, name: nameOf(clientId), code, message, at: new Date(at).toISOString() }
  })
}
