import type { SiteUnit } from '@fedsvd/core/accounting'
import { FedsvdError } from '@fedsvd/core/errors'
import type { LedgerState } from './state.ts'

/**
 * The unit for which a ledger counts: that of the first run that was bound in it, or charge made by it; undefined
 * before. One ledger has one unit. An epsilon per person and one per record do not compose to anything that could be
 * stated in one number for persons.
 */
export function unitOfLedger({ runs, charges }: LedgerState): SiteUnit | undefined {
  const [first] = [...runs.values(), ...charges]
  return first && siteUnit(first.event.unit)
}

function siteUnit(unit: string): SiteUnit {
  return unit === 'person' ? 'person' : 'record'
}

/**
 * Refuses a run, or a charge, whose unit is not that of the ledger.
 *
 * @throws FedsvdError SITE_DECLINED
 */
export function requireUnit(state: LedgerState, unit: string): void {
  const own = unitOfLedger(state)
  if (own === undefined || own === unit) return
  throw new FedsvdError('SITE_DECLINED', {
    expected: `a run whose unit of privacy is the ${own}, as in every run of this ledger so far`,
    got: `one whose unit is the ${unit}`,
    remedy: 'One ledger counts for one unit. Take part in runs of that unit only.',
  })
}
