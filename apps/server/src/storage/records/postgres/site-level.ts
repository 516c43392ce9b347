import { SITE_UNITS, type SiteUnit } from '@fedsvd/core/accounting'

/**
 * Selects the events that sites pay for, whatever the unit of their run; an `IN`, so that the index on the unit serves.
 */
export const SITE_LEVEL: { in: SiteUnit[] } = { in: [...SITE_UNITS] }
