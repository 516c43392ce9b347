import type { RunPrice, SitePrice } from '@fedsvd/core/protocol'
import { texts } from '../../texts/index.ts'

/** Whether a run could begin now, and in words. */
export interface Readiness {
  readonly isReady: boolean
  readonly text: string
}

/** Holds who can take part now, by the coordinator's prices, against what a round needs. */
export function readinessOf({ quorum, clients }: RunPrice): Readiness {
  const count = (standing: SitePrice['standing']): number => clients.filter((site) => site.standing === standing).length
  const [ready, away, undeclared, out] = [count('ready'), count('away'), count('undeclared'), count('out')]
  if (ready >= quorum) return { isReady: true, text: texts.newRun.ready(ready, quorum) }
  return { isReady: false, text: texts.newRun.notReady(ready, quorum, { away, undeclared, out }) }
}
